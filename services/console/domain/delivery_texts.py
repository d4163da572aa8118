"""What the pages about notices say."""

from services.console.domain.text import Text

DELIVERIES: dict[str, Text] = {
    "deliveries.title": Text("通知", "Notices"),
    "deliveries.lead": Text(
        "每条通知发给了谁、到了没有、为什么没到。",
        "Who was told what, whether it arrived, and if not, why.",
    ),
    "deliveries.all": Text("全部", "All"),
    "deliveries.counted": Text("已了结的计自", "Those over and done: since"),
    "deliveries.everywhere": Text("全部目的地", "All destinations"),
    "deliveries.destination": Text("目的地", "Destination"),
    "deliveries.none": Text("没有这样的通知", "No such notices"),
    "deliveries.none.hint": Text("换个状态看看。", "Look at another state."),
    "deliveries.empty": Text("还没有通知", "No notices yet"),
    "deliveries.empty.hint": Text(
        "第一条预警出现时，这里就有了。", "The first alert puts one here."
    ),
    "deliveries.of_alert": Text("预警 {number}", "Alert {number}"),
    "deliveries.nowhere": Text("没有目的地", "No destination"),
    "deliveries.retry": Text("重新发送", "Send again"),
    "deliveries.retrying": Text("正在发送…", "Sending…"),
    "deliveries.retry.failed": Text("没有成功：{reason}", "It did not work: {reason}"),
    # All that failed at a destination once more
    "replay.title": Text("全部重新发送", "Send all again"),
    "replay.counting": Text("正在数…", "Counting…"),
    "replay.would": Text(
        "这里有 {n} 条没送到的通知可以重新发送。", "{n} failed notices here can be sent again."
    ),
    "replay.would.one": Text(
        "这里有 1 条没送到的通知可以重新发送。", "One failed notice here can be sent again."
    ),
    "replay.nothing": Text(
        "这里没有还值得发的通知。", "Nothing here still tells anybody something."
    ),
    "replay.past": Text(
        "另有 {n} 条已经过时，不会再发。", "{n} more are out of date and will not be sent."
    ),
    "replay.past.one": Text(
        "另有 1 条已经过时，不会再发。", "One more is out of date and will not be sent."
    ),
    "replay.left": Text("还有 {n} 条要下一次再发。", "{n} more are left for the next time."),
    "replay.left.one": Text("还有 1 条要下一次再发。", "One more is left for the next time."),
    "replay.send": Text("重新发送 {n} 条", "Send {n} again"),
    "replay.send.one": Text("重新发送 1 条", "Send it again"),
    "replay.clear": Text("标为过时", "Mark as out of date"),
    "replay.leave": Text("取消", "Cancel"),
    "replay.done": Text("{n} 条已排队重新发送。", "{n} are on their way again."),
    "replay.done.one": Text("1 条已排队重新发送。", "One is on its way again."),
    "deliveries.attempts.one": Text("试了 1 次", "1 try"),
    "deliveries.attempts": Text("试了 {n} 次", "{n} tries"),
    # States
    "delivery.state.waiting": Text("待发", "Waiting"),
    "delivery.state.sending": Text("发送中", "Sending"),
    "delivery.state.sent": Text("已送达", "Arrived"),
    "delivery.state.failed": Text("稍后重试", "Trying again"),
    "delivery.state.dead": Text("未送达", "Failed"),
    "delivery.state.merged": Text("并入汇总", "In a digest"),
    "delivery.state.suppressed": Text("未发送", "Not sent"),
    "delivery.state.superseded": Text("已被更新替代", "Replaced"),
    "delivery.kind.first": Text("首次通知", "First notice"),
    "delivery.kind.change": Text("后续变化", "Change"),
    "delivery.kind.escalation": Text("升级通知", "Escalation"),
    "delivery.kind.digest": Text("汇总", "Digest"),
    "delivery.kind.order": Text("给供应商的订单", "Order for a supplier"),
    "delivery.kind.report": Text("报告", "Report"),
    "delivery.kind.test": Text("测试消息", "Test message"),
    "delivery.kind.meta": Text("系统提醒", "About the notices"),
    # What waits on purpose
    "delivery.held": Text("等到", "Waits until"),
    "delivery.held.first_import": Text(
        "首次导入时已低于阈值，合并为一条", "Low when first heard of: told in one message"
    ),
    "delivery.held.changed_rule": Text(
        "规则启用或修改时已低于阈值，合并为一条",
        "Low when the rule was made or changed: told in one message",
    ),
    "delivery.held.changed_parameters": Text(
        "参数修改后低于阈值，合并为一条", "Low by the new parameters: told in one message"
    ),
    "delivery.held.changed_catalogue": Text(
        "商品目录修改后进入规则范围，合并为一条",
        "In the rule's scope since the catalogue has changed: told in one message",
    ),
    "delivery.held.same_owner": Text(
        "与同一负责人、同一供应商的预警合并为一条", "One message for one owner and supplier"
    ),
    "delivery.held.rhythm": Text(
        "目的地按小时或按天接收", "The destination is told by the hour or day"
    ),
    "delivery.held.quiet_hours": Text("免打扰时段", "Quiet hours"),
    # Why
    "delivery.why.no_route": Text("没有目的地要这类预警", "No destination wants such alerts"),
    "delivery.why.never_announced": Text(
        "开始时没有通知过，所以也不通知结束", "Its beginning was not told, so its end is not either"
    ),
    "delivery.why.no_destination": Text(
        "要发往的目的地不存在、已停用，或者不是邮箱",
        "It is for a destination that is not there, disabled, or no mailbox for an order",
    ),
    "delivery.why.for_one_person": Text("只告诉本人", "Only for the person concerned"),
    "delivery.why.silenced": Text("这类预警在静默中", "Such alerts are silenced"),
    "delivery.why.snoozed": Text("这条预警被暂缓了", "The alert is snoozed"),
    "delivery.why.ended_untold": Text(
        "结束前没有通知过，所以不再通知", "It ended before anybody was told of it"
    ),
    "delivery.why.covered": Text("已有处理可以补上", "What is being done covers it"),
    "delivery.why.budget": Text(
        "今天打扰得够多了，留在列表里", "Enough interruptions today; it stays in the list"
    ),
    "delivery.why.ended": Text("预警那时已结束", "The alert had ended by then"),
    "delivery.why.outcome_unknown": Text(
        "没有等到对方的回答，可能已送达",
        "The other side did not answer; it may have arrived",
    ),
    "delivery.why.newer_revision": Text(
        "后面的通知说得更全", "A later notice says all of it and more"
    ),
    "delivery.why.gave_up": Text("试了一天都没有成功", "It did not work for a day"),
    "delivery.why.refused": Text("对方拒收", "The other side refused it"),
    "delivery.why.unrenderable": Text("消息写不出来", "The message could not be written"),
    "delivery.why.taken_apart": Text(
        "里面仍然有效的通知已重新发送", "What of it still holds was sent again by itself"
    ),
    "delivery.why.others_next": Text("一个一个发，其余的随后就到", "The others are next"),
    "delivery.why.some_recipients_refused": Text("有收件人被拒", "Some recipients were refused"),
    # One notice
    "delivery.title": Text("通知", "Notice"),
    "delivery.unknown": Text("没有这条通知", "There is no such notice"),
    "delivery.unknown.hint": Text("链接可能写错了。", "The link may be mistyped."),
    "delivery.said": Text("发出的内容", "What it said"),
    "delivery.said.none": Text("还没有写出内容", "Not written yet"),
    "delivery.said.none.hint": Text(
        "轮到发送时才会写好，数字以那时为准。",
        "It is written when its turn comes, with the numbers of that moment.",
    ),
    "delivery.said.never": Text("没有发出任何内容", "Nothing was sent"),
    "delivery.attempts": Text("发送经过", "Tries"),
    "delivery.attempts.none": Text("还没有试过", "Not tried yet"),
    "delivery.attempt": Text("第 {n} 次", "Try {n}"),
    "delivery.verdict.accepted": Text("对方已收下", "Accepted"),
    "delivery.verdict.transient": Text("暂时没成", "Did not work for now"),
    "delivery.verdict.permanent": Text("对方拒收", "Refused"),
    "delivery.verdict.unknown": Text("没有回答", "No answer"),
    "delivery.verdict.none": Text("正在发送", "Being sent"),
    "delivery.took": Text("用时 {n} 秒", "took {n} s"),
    "delivery.marked": Text("标注“可能重复”", "Marked as a possible duplicate"),
    "delivery.next": Text("下次重试", "Next try"),
    "delivery.sent_at": Text("送达于", "Arrived"),
    "delivery.created_at": Text("产生于", "Made"),
    "delivery.to_digest": Text("看汇总", "See the digest"),
    "delivery.to_order": Text("看订单", "See the order"),
    "delivery.to_alert": Text("看预警", "See the alert"),
    "delivery.reached": Text("已送到", "Reached"),
    "delivery.refused": Text("被拒", "Refused"),
    "delivery.in_doubt": Text("不确定", "In doubt"),
    "delivery.left": Text("还没送到", "Not reached yet"),
    "delivery.overtaken": Text("已收到更新的通知", "Has heard of something newer"),
    # Plain words for the usual codes
    "trouble.too_often": Text(
        "发得太快，对方限流；过一会儿自动再发",
        "Too many at once; the other side slows us down, and it goes out by itself later",
    ),
    "trouble.bad_key": Text(
        "密钥或令牌不对，或已失效；到群里重新复制一份，更新目的地",
        "The key or token is wrong or no longer valid; copy it anew and update the destination",
    ),
    "trouble.bad_signature": Text(
        "签名、关键词或 IP 设置没通过；核对机器人的安全设置",
        "Signature, keyword or address did not pass; check the bot's security settings",
    ),
    "trouble.address_not_allowed": Text(
        "服务器的 IP 不在机器人的白名单里", "The server's address is not on the bot's list"
    ),
    "trouble.address_not_trusted": Text(
        "服务器的 IP 不在应用的“企业可信IP”里；到管理后台加上",
        "The server's address is not one that the application trusts (企业可信IP); add it there",
    ),
    "trouble.nobody_there": Text(
        "收件人都不在应用的可见范围内；核对账号和可见范围",
        "None of those it is for may use the application; check user ids and who may (可见范围)",
    ),
    "trouble.keyword_missing": Text(
        "消息里没有机器人要求的关键词", "The message lacks the keyword that the bot asks for"
    ),
    "trouble.not_understood": Text(
        "对方看不懂这条消息；请联系维护人员",
        "The other side does not understand the message; tell whoever maintains this",
    ),
    "trouble.too_long": Text("消息太长", "The message is too long"),
    "trouble.busy": Text(
        "对方忙，会自动再试", "The other side is busy; it is tried again by itself"
    ),
    "trouble.away": Text(
        "对方服务出错，会自动再试", "The other side has a fault; it is tried again by itself"
    ),
    "trouble.unknown": Text(
        "发出后没有等到回答，可能已送达",
        "No answer came after sending; it may have arrived",
    ),
    "trouble.unreachable": Text(
        "连不上对方；检查网络、地址和端口",
        "The other side cannot be reached; check network, address and port",
    ),
    "trouble.bad_url": Text("地址写得不对", "The address is not one"),
    "trouble.address_unknown": Text(
        "地址不存在；核对目的地的网址", "There is nothing at that address; check the destination"
    ),
    "trouble.gone": Text(
        "对方说不再需要通知，已停用这个目的地",
        "The other side wants no more; the destination was switched off",
    ),
    "trouble.scope_missing": Text(
        "机器人缺少发消息的权限（chat:write）", "The bot lacks the permission to write (chat:write)"
    ),
    "trouble.channel_unknown": Text("频道不存在", "There is no such channel"),
    "trouble.not_in_channel": Text(
        "机器人不在频道里；先把它拉进来", "The bot is not in the channel; invite it first"
    ),
    "trouble.channel_archived": Text("频道已归档", "The channel is archived"),
    "trouble.bad_password": Text(
        "邮箱的用户名或密码不对", "User name or password of the mail server is wrong"
    ),
    "trouble.mailbox_unknown": Text("收件邮箱不存在或被拒", "A mailbox does not exist or refuses"),
    "trouble.mailbox_full": Text("收件邮箱满了", "The mailbox is full"),
    "trouble.mail_refused": Text(
        "邮件服务器拒收；可能被当作垃圾邮件",
        "The mail server refused it, perhaps as spam",
    ),
    # Destinations
    "destinations": Text("目的地", "Destinations"),
    "destinations.none": Text("还没有目的地", "No destinations yet"),
    "destinations.none.hint": Text(
        "加一个企业微信群或邮箱，预警才有处可去。",
        "Alerts go nowhere until a group or mailbox is set up.",
    ),
    "destination.kind.wecom_bot": Text("企业微信群", "WeCom group"),
    "destination.kind.wecom_app": Text("企业微信应用", "WeCom application"),
    "destination.kind.dingtalk_bot": Text("钉钉群", "DingTalk group"),
    "destination.kind.feishu_bot": Text("飞书群", "Feishu group"),
    "destination.kind.slack": Text("Slack 频道", "Slack channel"),
    "destination.kind.email": Text("邮件", "E-mail"),
    "destination.kind.webhook": Text("Webhook", "Webhook"),
    "destination.off": Text("已停用", "Switched off"),
    "destination.well": Text("正常，最近一次送达", "Well; last arrival"),
    "destination.failing": Text("一直失败，开始于", "Failing since"),
    "destination.again": Text("下次重试", "Next try"),
    "destination.unused": Text("还没有发过", "Nothing sent yet"),
    "destination.waiting": Text("{n} 条待发", "{n} waiting"),
    "destination.test": Text("发测试消息", "Send a test"),
    "destination.testing": Text("正在发送…", "Sending…"),
    "destination.test.sent": Text("已送达，去看看", "Arrived; have a look"),
    "refused.not_retryable": Text(
        "它已经不用再发：已送达、已并入汇总或已作废。",
        "There is nothing to send again: it has arrived, is part of a digest, or is out of date.",
    ),
    "refused.newer_under_way": Text(
        "同一预警的新消息正在发送；等它发完再试。",
        "Something newer of its alert is being sent; try again once that is done.",
    ),
    "refused.disabled": Text(
        "这个目的地已停用，先启用它。", "It is switched off; switch it on first."
    ),
    "destination.test.waiting": Text("还在排队，稍后看结果", "Still waiting; look again later"),
    "destination.test.failed": Text("没有送达：{reason}", "It did not arrive: {reason}"),
    "destination.gets": Text("接收", "Gets"),
    "destination.gets.all": Text("全部预警", "every alert"),
    "destination.gets.none": Text("路由都停用了，什么也收不到", "nothing: its routes are off"),
    "destination.orders": Text("给供应商的订单由此发出", "Orders leave from here"),
    "destination.orders.choose": Text("由此发出订单", "Send orders from here"),
    "destination.gets.rules": Text("{n} 条规则", "{n} rules"),
    "destination.gets.rules.one": Text("1 条规则", "1 rule"),
}
