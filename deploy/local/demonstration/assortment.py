"""What the demonstration's shops sell: sixty SKUs of a lifestyle retailer, two warehouses."""

from dataclasses import dataclass
from enum import StrEnum


class Pace(StrEnum):
    """How a SKU sells and is supplied, which decides what becomes of it on the board."""

    STEADY = "steady"
    """Sells and is refilled in good time."""
    BRISK = "brisk"
    """Sells fast; its supplier keeps up."""
    TIGHT = "tight"
    """Sells fast and its supplier is slow: it runs low again and again."""
    SLOW = "slow"
    """Sells now and then."""


@dataclass(frozen=True, slots=True)
class Article:
    """A SKU as the shops know it; `number` makes barcodes and the marketplace's codes."""

    number: int
    sku: str
    name: str
    category: str
    brand: str
    price: str
    pace: Pace

    @property
    def barcode(self) -> str:
        """Its EAN-13, which the tills scan."""
        digits = f"690{1_200_000 + self.number * 37:09d}"
        odd, even = sum(map(int, digits[::2])), sum(map(int, digits[1::2]))
        return digits + str(-(odd + 3 * even) % 10)

    @property
    def marketplace_code(self) -> str:
        """Its item id on the marketplace."""
        return str(680_000_000_000 + self.number * 7_919_333)


@dataclass(frozen=True, slots=True)
class Warehouse:
    """Where stock lies; `spellings` are what channels call it, by channel."""

    id: str
    name: str
    spellings: dict[str, str]


ONLINE = Warehouse("hangzhou", "杭州电商仓", {"marketplace": "CN-HGH-01"})
STORE = Warehouse("shanghai-store", "上海门店", {"pos": "STORE-021"})
WAREHOUSES = (ONLINE, STORE)
ZONE = "Asia/Shanghai"

_TABLE = """
OAT-1L|燕麦奶 1L 原味 Oat Milk|饮料|潮谷|15.90|tight
OAT-250-6|燕麦奶 250ml×6 咖啡大师|饮料|潮谷|39.90|brisk
COLD-10|冷萃咖啡液 10 杯装 Cold Brew|饮料|半日|69.00|brisk
COLD-30|冷萃咖啡液 30 杯装|饮料|半日|179.00|steady
DRIP-YE|挂耳咖啡 耶加雪菲 10 包|饮料|半日|59.00|steady
BEAN-500|意式拼配咖啡豆 500g|饮料|半日|78.00|steady
TEA-LJ|明前龙井 50g 罐装|茶|山时|128.00|slow
TEA-OOL|冻顶乌龙 100g|茶|山时|96.00|slow
TEA-JAS|茉莉花茶 三角包 20 枚|茶|山时|45.00|steady
SODA-24|无糖气泡水 白桃 330ml×24|饮料|潮谷|59.90|tight
KOMB-6|康普茶 生姜柠檬 Kombucha 6 瓶|饮料|潮谷|66.00|steady
MILLET-25|有机小米 2.5kg|粮油|田问|42.00|steady
RICE-5|五常大米 5kg 当季新米|粮油|田问|69.90|brisk
OIL-5|压榨菜籽油 5L|粮油|田问|89.00|steady
NOODLE-10|手工挂面 10 把装|粮油|田问|29.90|brisk
VINEGAR|镇江香醋 500ml 三年陈|粮油|田问|16.80|steady
SAUCE|零添加酱油 500ml|粮油|田问|19.90|steady
HONEY|洋槐蜂蜜 500g|粮油|田问|55.00|slow
NUTS-30|每日坚果 30 包 Mixed Nuts|零食|果仁派|99.00|brisk
SEAWEED|夹心海苔 巴旦木 4 罐|零食|果仁派|39.90|brisk
CHOC-72|72% 黑巧克力 100g Dark Chocolate|零食|果仁派|28.00|steady
JERKY|手撕牛肉干 原味 200g|零食|果仁派|58.00|steady
MANGO|芒果干 108g×3|零食|果仁派|36.90|steady
COOKIE|黄油曲奇 礼盒 500g|零食|果仁派|68.00|slow
TISSUE-24|抽纸 3 层 100 抽 24 包|家居|白屿|49.90|tight
TOWEL-2|纯棉毛巾 2 条装 雾蓝|家居|白屿|39.00|steady
BATH-1|长绒棉浴巾 70×140|家居|白屿|79.00|steady
DETERG-3|洗衣液 3kg 无香|家居|白屿|45.90|brisk
PODS-52|洗衣凝珠 52 颗|家居|白屿|59.90|brisk
DISH-1|洗洁精 1.1kg 茶籽|家居|白屿|19.90|steady
CUP-500|不锈钢保温杯 500ml 雾蓝|家居|汀|119.00|steady
CUP-350|随行咖啡杯 350ml 奶白|家居|汀|99.00|steady
PAN-28|不粘平底锅 28cm|厨具|汀|199.00|slow
KNIFE|三德刀 17cm Santoku|厨具|汀|268.00|slow
BOARD|整木砧板 乌檀 40×26|厨具|汀|159.00|slow
BOX-5|玻璃保鲜盒 5 件套|厨具|汀|129.00|steady
KETTLE|手冲细口壶 600ml Gooseneck Kettle|厨具|汀|239.00|slow
PILLOW|深睡记忆枕 中枕|家纺|白屿|189.00|slow
QUILT-200|羽绒被 200×230 春秋|家纺|白屿|899.00|slow
SHEET-18|水洗棉四件套 1.8m 燕麦色|家纺|白屿|399.00|slow
SUN-60|儿童防晒霜 SPF50 60ml Kids Sunscreen|个护|晴天|89.00|tight
SUN-50|轻透防晒乳 SPF50+ 50ml|个护|晴天|109.00|brisk
BRUSH-4|软毛牙刷 4 支装|个护|晴天|25.90|brisk
PASTE-2|益生菌牙膏 120g×2|个护|晴天|39.90|steady
WASH-400|氨基酸沐浴露 400ml|个护|晴天|49.00|steady
SHAMPOO|控油洗发水 500ml|个护|晴天|59.00|steady
HAND-3|护手霜 三支礼盒 Hand Cream|个护|晴天|69.00|steady
MASK-10|玻尿酸面膜 10 片|个护|晴天|79.00|brisk
SOCK-5|纯棉中筒袜 5 双 Crew Socks|服饰|针脚|49.00|brisk
SOCK-M3|美利奴羊毛袜 3 双 Merino|服饰|针脚|129.00|slow
TEE-W-M|重磅纯棉 T 恤 白 M|服饰|针脚|99.00|tight
TEE-W-L|重磅纯棉 T 恤 白 L|服饰|针脚|99.00|steady
TEE-B-M|重磅纯棉 T 恤 黑 M|服饰|针脚|99.00|steady
TEE-B-L|重磅纯棉 T 恤 黑 L|服饰|针脚|99.00|steady
CAP|水洗棒球帽 卡其|服饰|针脚|79.00|slow
CABLE-1|USB-C 快充线 1m 60W|数码|原点|29.00|tight
CABLE-2|USB-C 快充线 2m 100W|数码|原点|45.00|brisk
CHARGER|氮化镓充电器 65W GaN|数码|原点|139.00|steady
POWER-10|移动电源 10000mAh|数码|原点|129.00|steady
EARBUD|真无线耳机 云白 Earbuds|数码|原点|299.00|slow
"""

ARTICLES = tuple(
    Article(number, sku, name, category, brand, price, Pace(pace))
    for number, (sku, name, category, brand, price, pace) in enumerate(
        (line.split("|") for line in _TABLE.strip().splitlines()), start=1
    )
)
