"""What the page about people and responsibility says."""

from services.console.domain.text import Text

PEOPLE: dict[str, Text] = {
    "people.title": Text("人员与职责", "People and responsibility"),
    "people.lead": Text(
        "谁负责什么；他不在的时候，谁来接。",
        "Who sees to what, and who does while they are away.",
    ),
    "unknown.stock_class": Text("{n} 个商品没有等级", "{n} products have no class"),
    "unknown.stock_class.one": Text("1 个商品没有等级", "1 product has no class"),
    "unknown.supplier": Text("{n} 个商品没有供应商", "{n} products have no supplier"),
    "unknown.supplier.one": Text("1 个商品没有供应商", "1 product has no supplier"),
    "unknown.title.stock_class": Text("没有等级的商品", "Products without a class"),
    "unknown.title.supplier": Text("没有供应商的商品", "Products without a supplier"),
    "unknown.lead.stock_class": Text(
        "只管某些等级的规则不会看到它们。在商品资料里补上，或者导入参数。",
        "Rules for certain classes pass them over. Add the class to the catalogue, or import it.",
    ),
    "unknown.lead.supplier": Text(
        "按供应商分的规则和职责不会算上它们。请导入参数补上。",
        "Rules and responsibilities by supplier pass them over. Import the supplier.",
    ),
    "unknown.none": Text("没有缺资料的商品", "Nothing is missing"),
    "unknown.none.hint": Text("每个商品都有。", "Every product has one."),
    "people.people": Text("人员", "People"),
    "people.add": Text("添加人员", "Add a person"),
    "people.edit": Text("修改 {name}", "Edit {name}"),
    "people.none": Text("还没有人员", "Nobody yet"),
    "people.none.hint": Text(
        "先添加人员，再在下面说明谁负责什么。",
        "Add people first, then say below who sees to what.",
    ),
    "people.id": Text("账号", "Account"),
    "people.id.hint": Text(
        "登录用的名字，保存后不能改。", "The name they sign in with; it stays as it is."
    ),
    "people.id.wrong": Text(
        "最多 128 个字，不能有斜杠和竖线。", "At most 128 characters, no slashes or bars."
    ),
    "people.id.taken": Text("已经有这个账号了。", "There is this account already."),
    "people.name": Text("姓名", "Name"),
    "people.language": Text("消息语言", "Language of messages"),
    "people.language.zh-CN": Text("中文", "Chinese"),
    "people.language.en": Text("英文", "English"),
    "people.email": Text("邮箱", "E-mail"),
    "people.email.wrong": Text("这不是一个邮箱地址。", "This is no e-mail address."),
    "people.wecom_userid": Text("企业微信账号", "WeCom user id"),
    "people.wecom_userid.wrong": Text("最多 64 个字。", "At most 64 characters."),
    "people.dingtalk_userid": Text("钉钉 userid", "DingTalk userid"),
    "people.dingtalk_userid.wrong": Text(
        "填通讯录里的 userid：最多 64 个字母、数字或 _.@-。",
        "The userid of the contacts: at most 64 letters, digits and _.@-.",
    ),
    "people.feishu_open_id": Text("飞书 open_id", "Feishu open_id"),
    "people.feishu_open_id.wrong": Text(
        "以 ou_ 开头，后面是字母和数字。", "It is ou_ and then letters and digits."
    ),
    "people.slack_user_id": Text("Slack 成员 ID", "Slack member ID"),
    "people.slack_user_id.wrong": Text(
        "个人资料里的成员 ID，例如 U012AB3CD，不是用户名。",
        "The member ID of the profile, such as U012AB3CD: no name.",
    ),
    "people.chat": Text("聊天账号", "Chat ids"),
    "people.chat.hint": Text(
        "群里的消息用它提醒本人。", "Messages in a group mention the person by it."
    ),
    "people.chat.wecom_userid": Text("企业微信", "WeCom"),
    "people.chat.dingtalk_userid": Text("钉钉", "DingTalk"),
    "people.chat.feishu_open_id": Text("飞书", "Feishu"),
    "people.chat.slack_user_id": Text("Slack", "Slack"),
    "people.away_until": Text("不在，直到", "Away until"),
    "people.away_until.hint": Text(
        "含当天；期间的新预警转给代理人。", "That day included; the deputy gets what is new."
    ),
    "people.away": Text("不在，至", "Away until"),
    "people.here": Text("在岗", "Here"),
    "people.address_taken": Text(
        "邮箱或聊天账号（企业微信、钉钉、飞书、Slack）已属于别人；一个地址只能属于一个人。",
        "The e-mail address or a chat id (WeCom, DingTalk, Feishu, Slack) is somebody else's; "
        "each belongs to one person.",
    ),
    "people.still_responsible": Text(
        "这些地方还有这个人，先换成别人：",
        "They are still named in these places; name somebody else there first:",
    ),
    "people.changed": Text(
        "这个人刚被别人改过，没有保存。再保存一次，就以你的为准。",
        "Not saved: somebody else has changed this person meanwhile. Save again to put yours on "
        "top.",
    ),
    "people.gone": Text(
        "这个人刚被别人删除，没有保存。再保存一次，就重新添加。",
        "Not saved: somebody else has deleted this person meanwhile. Save again to add them anew.",
    ),
    "people.failed": Text("没有成功：{reason}", "It did not work: {reason}"),
    "table": Text("职责", "Responsibility"),
    "table.lead": Text(
        "最具体的一行说了算；负责人不在就找代理人，再找主管。",
        "The most specific row decides: its owner, else the deputy, else the manager.",
    ),
    "table.add": Text("添加一行", "Add a row"),
    "table.import": Text("导入表格", "Import a sheet"),
    "table.export": Text("导出", "Export"),
    "table.none": Text("还没有职责", "No responsibilities yet"),
    "table.none.hint": Text(
        "没有任何一行，预警就没有负责人。",
        "Without a row, an alert is nobody's.",
    ),
    "table.category": Text("品类", "Category"),
    "table.category.all": Text("全部品类", "All categories"),
    "table.supplier": Text("供应商", "Supplier"),
    "table.supplier.all": Text("全部供应商", "All suppliers"),
    "table.warehouse": Text("仓库", "Warehouse"),
    "table.warehouse.all": Text("全部仓库", "All warehouses"),
    "table.warehouse_group": Text("仓库组", "Warehouse group"),
    "table.owner": Text("负责人", "Owner"),
    "table.deputy": Text("代理人", "Deputy"),
    "table.manager": Text("主管", "Manager"),
    "table.nobody": Text("—", "—"),
    "table.search": Text(
        "搜索品类、供应商、仓库或人员", "Search by category, supplier, warehouse or person"
    ),
    "table.more": Text("还有 {n} 行，搜索可以缩小范围", "{n} more rows; search to narrow it down"),
    "table.found.none": Text("没有符合的行", "No such rows"),
    "table.repeated": Text(
        "已经有一行说的是同样的品类、供应商和仓库（组）。",
        "Another row speaks of the same category, supplier and warehouse or group.",
    ),
    "table.both": Text(
        "仓库和仓库组只能选一个。", "Choose a warehouse or a group of them, not both."
    ),
    "table.unknown_group": Text(
        "没有这个仓库组，请先在下面添加。", "There is no such group; add it below first."
    ),
    "groups": Text("仓库组", "Warehouse groups"),
    "groups.lead": Text(
        "几个仓库由同一些人负责时，职责表里写一个组就行。",
        "Where the same people see to several warehouses, one row names the group.",
    ),
    "groups.add": Text("添加仓库组", "Add a group"),
    "groups.edit": Text("修改仓库组 {name}", "Edit group {name}"),
    "groups.none": Text("还没有仓库组", "No groups yet"),
    "groups.none.hint": Text("没有也行，一行写一个仓库。", "Rows may do with one warehouse each."),
    "groups.id": Text("编号", "Code"),
    "groups.id.hint": Text(
        "导入表格时用，保存后不能改。", "What sheets call it; it stays as it is."
    ),
    "groups.id.wrong": Text(
        "最多 64 个字母、数字、点、横线或下划线，以字母或数字开头。",
        "At most 64 letters, digits, dots, hyphens and underscores; a letter or digit first.",
    ),
    "groups.id.taken": Text("已经有这个编号了。", "There is this code already."),
    "groups.name": Text("名称", "Name"),
    "groups.warehouses": Text("仓库", "Warehouses"),
    "groups.warehouses.none": Text("至少选一个仓库。", "Choose a warehouse at least."),
    "groups.changed": Text(
        "这个仓库组刚被别人改过，没有保存。再保存一次，就以你的为准。",
        "Not saved: somebody else has changed this group meanwhile. Save again to put yours on "
        "top.",
    ),
    "groups.gone": Text(
        "这个仓库组刚被别人删除，没有保存。再保存一次，就重新添加。",
        "Not saved: somebody else has deleted this group meanwhile. Save again to add it anew.",
    ),
    "groups.in_use": Text(
        "职责表里还有一行写着这个仓库组，先改成别的。",
        "A row of the table of responsibilities names this group; choose something else there "
        "first.",
    ),
    "named.rule": Text("规则：{name}", "Rule: {name}"),
    "named.playbook": Text("处理流程：{name}", "Playbook: {name}"),
    "named.rotation": Text("轮值：{name}", "Rotation: {name}"),
    "named.limits": Text("审批额度", "Approval limits"),
    "named.table": Text("职责表", "Table of responsibilities"),
    "named.row": Text("职责表第 {name} 行", "Row {name} of the table of responsibilities"),
    "named.alerts": Text("这个人的未结预警", "Their open alerts"),
    "named.followed": Text(
        "按处理流程“{name}”走的未结预警", "Open alerts that follow the playbook {name}"
    ),
    "named.other": Text("{name}", "{name}"),
    "table.missing": Text("至少指定一个人。", "Name at least one person."),
    "table.unknown_person": Text(
        "没有这个人，请先添加。", "There is no such person; add them first."
    ),
    "table.changed": Text(
        "这一行刚被别人改过，请看一看再改。",
        "Somebody else has changed this row meanwhile; look at it again.",
    ),
    "table.import.title": Text("导入职责表", "Import responsibilities"),
    "table.import.how": Text(
        "CSV，表头为 category, supplier, warehouse, warehouse_group, owner, deputy, manager，"
        "留空表示全部或没有。导入会替换整张表；只要有一行不对，就什么都不改。",
        "CSV with the head category, supplier, warehouse, warehouse_group, owner, deputy, "
        "manager; empty: all, or nobody. "
        "It replaces the whole table; if one row is wrong, nothing changes.",
    ),
    "table.import.paste": Text("或者粘贴在这里", "Or paste it here"),
    "table.import.do": Text("导入并替换", "Import and replace"),
    "table.imported": Text("已导入 {n} 行", "{n} rows imported"),
    "table.imported.one": Text("已导入 1 行", "1 row imported"),
    "table.import.refused": Text(
        "什么都没有改，有 {n} 处不对：", "Nothing was changed; {n} things are wrong:"
    ),
    "table.import.refused.one": Text(
        "什么都没有改，有 1 处不对：", "Nothing was changed; one thing is wrong:"
    ),
    "table.import.unreadable": Text("这不是 CSV。", "This is no CSV."),
    "table.import.column": Text(
        "没有这一列；表头用 category, supplier, warehouse, warehouse_group, owner, deputy, "
        "manager。",
        "There is no such column; use category, supplier, warehouse, warehouse_group, owner, "
        "deputy, manager.",
    ),
}
