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
    "form.wrong": Text("请核对这一项", "Please check this"),
    "form.no_number": Text("请填数字", "Please type a number"),
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
