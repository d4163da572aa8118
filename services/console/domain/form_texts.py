"""What the pages with forms have in common."""

from services.console.domain.text import Text

FORMS: dict[str, Text] = {
    "deliveries": Text("通知", "Notices"),
    "people": Text("人员", "People"),
    "rules": Text("规则", "Rules"),
    "form.save": Text("保存", "Save"),
    "form.saving": Text("正在保存…", "Saving…"),
    "form.cancel": Text("取消", "Cancel"),
    "form.edit": Text("修改", "Edit"),
    "form.delete": Text("删除", "Delete"),
    "form.delete.sure": Text("确定删除", "Really delete"),
    "form.optional": Text("选填", "optional"),
    "form.required": Text("请填写", "Please fill this in"),
    # What services say no to, wherever it is
    "wrong.string_too_long": Text("太长了，请写短一些", "Too long; please make it shorter"),
    "wrong.less_than_equal": Text("这个数太大了", "This number is too large"),
    "refused.invalid": Text(
        "有内容不对，请检查后再试。", "Something in it is not right; check it and try again."
    ),
    "refused.not_json": Text("内容无法读取，请再试一次。", "It could not be read; try again."),
    "refused.too_large": Text("内容太大，请分几次。", "It is too large; do it in parts."),
    "refused.bad_cursor": Text(
        "列表已经变了，请刷新页面从头看。", "The list has changed; reload the page to start anew."
    ),
    "refused.forbidden": Text(
        "控制台没有这个权限，请找管理员。", "The console may not do this; ask who runs it."
    ),
    "refused.idempotency_key_reused": Text(
        "刚才用这张表提交过别的内容；请刷新页面看看结果，再填一次。",
        "This form has sent something else before; reload the page to see what, then fill it in "
        "again.",
    ),
    "refused.unknown_person": Text(
        "人员里没有这个人，可能刚被删除。", "There is no such person; they may just be deleted."
    ),
    "form.wrong": Text("请核对这一项", "Please check this"),
    "form.no_number": Text("请填数字", "Please type a number"),
    "form.changed": Text("别人也改了这一项", "Somebody else has changed this too"),
    "form.failed": Text("没有保存：{reason}", "Not saved: {reason}"),
    "form.mistakes": Text("有 {n} 处要改", "{n} things to mend"),
    "form.mistakes.one": Text("有 1 处要改", "One thing to mend"),
    "form.file": Text("选择文件", "Choose a file"),
    "form.file.none": Text(
        "文件是空的，或者超过 800 kB。", "The file is empty, or larger than 800 kB."
    ),
    "list.joint": Text("、", ", "),
    "form.line": Text("第 {n} 行", "Line {n}"),
}
