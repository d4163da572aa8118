"""What Slack takes for the blocks of a message (docs.slack.dev: Block Kit reference)."""

from collections.abc import Mapping, Sequence

from shared.testing.vendor import Refused

INVALID = "invalid_blocks"

MOST_BLOCKS = 50
MOST_ACTIONS = 25
MOST_CONTEXT = 10
MOST_OPTIONS = 100
TEXT = 3_000
ID = 255
BUTTON_TEXT = 75
BUTTON_VALUE = 2_000
PLACEHOLDER = 150
OPTION_TEXT = 75
OPTION_VALUE = 150

Block = Mapping[str, object]


def checked(blocks: object) -> Sequence[Block]:
    """Return the blocks of a message. Raises Refused for those that would not be taken."""
    found = _list(blocks, 1, MOST_BLOCKS)
    for block in found:
        match block.get("type"):
            case "section":
                _text(block.get("text"), {"mrkdwn", "plain_text"}, TEXT)
            case "context":
                for element in _list(block.get("elements"), 1, MOST_CONTEXT):
                    _text(element, {"mrkdwn", "plain_text"}, TEXT)
            case "actions":
                _check_actions(block)
            case _:
                raise Refused(INVALID)
    ids = [each["block_id"] for each in found if "block_id" in each]
    for id_ in ids:
        _string(id_, ID)
    if len(set(ids)) != len(ids):
        raise Refused(INVALID)
    return found


def elements_of(blocks: Sequence[Block]) -> dict[str, tuple[str, Block]]:
    """Return what can be pressed in checked blocks, by action_id, with the block that it is in."""
    return {
        str(element["action_id"]): (str(block.get("block_id", "")), element)
        for block in blocks
        if block["type"] == "actions"
        for element in _list(block["elements"], 1, MOST_ACTIONS)
    }


def options_of(element: Block) -> list[str]:
    """Return the values that a menu offers; of a button none."""
    if element["type"] != "static_select":
        return []
    return [str(each["value"]) for each in _list(element["options"], 1, MOST_OPTIONS)]


def _check_actions(block: Block) -> None:
    elements = _list(block.get("elements"), 1, MOST_ACTIONS)
    for element in elements:
        _string(element.get("action_id"), ID)
        match element.get("type"):
            case "button":
                _text(element.get("text"), {"plain_text"}, BUTTON_TEXT)
                _string(element.get("value", "-"), BUTTON_VALUE)
                if element.get("style", "primary") not in {"primary", "danger"}:
                    raise Refused(INVALID)
            case "static_select":
                _text(element.get("placeholder"), {"plain_text"}, PLACEHOLDER)
                options = _list(element.get("options"), 1, MOST_OPTIONS)
                for option in options:
                    _text(option.get("text"), {"plain_text"}, OPTION_TEXT)
                    _string(option.get("value"), OPTION_VALUE)
            case _:
                raise Refused(INVALID)
    if len({each["action_id"] for each in elements}) != len(elements):
        raise Refused(INVALID)


def _list(given: object, least: int, most: int) -> list[Block]:
    if not isinstance(given, list) or not least <= len(given) <= most:
        raise Refused(INVALID)
    if not all(isinstance(each, dict) for each in given):
        raise Refused(INVALID)
    return given


def _text(given: object, types: set[str], longest: int) -> None:
    if not isinstance(given, dict) or given.get("type") not in types:
        raise Refused(INVALID)
    _string(given.get("text"), longest)
    if "verbatim" in given and given["type"] != "mrkdwn":
        raise Refused(INVALID)


def _string(given: object, longest: int) -> None:
    if not isinstance(given, str) or not 0 < len(given) <= longest:
        raise Refused(INVALID)
