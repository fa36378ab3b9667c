"""The folders that the shop names: each there, and nobody's but whose it is declared to be."""

from __future__ import annotations

from collections.abc import Iterator

from mainstay.landscape.declared import READ_FOLDERS, Flow
from mainstay.landscape.survey import Findings, Spot, Survey


def apart(survey: Survey) -> Findings:
    """A folder for each system whose news comes by files: whoever can write into it speaks for that system."""
    seen: dict[tuple[str, ...], tuple[str, str]] = {}
    for name, flow, spot in _filed(survey):
        for others, (other, source) in seen.items():
            if source != flow.source and (spot.within(others) or others[: len(spot.path)] == spot.path):
                wrong = f'Flow "{name}" reads files of "{flow.source}" from {flow.folder}, where flow "{other}" reads those of "{source}".'
                yield survey.finding("folder-shared", ("flows", name, "folder"), wrong, f'`folder = "inbox/{flow.source}"`, of its own')
                break
        else:
            if spot.kind != "folder":
                wrong = f'Flow "{name}" waits for files in {flow.folder}, which is not a folder here.'
                instead = f"`mkdir -p {flow.folder}` beside this file, or the folder that is meant"
                yield survey.finding("folder-missing", ("flows", name, "folder"), wrong, instead)
        seen.setdefault(spot.path, (name, flow.source))


def fit(survey: Survey) -> Findings:
    """What is in such a folder is read and moved away: no other thing may be in it, and none of what was read is read again."""
    for name, flow in survey.shop.flows.items():
        if flow.pattern == "file" and not flow.folder:
            wrong = f'Flow "{name}" comes by files, but no folder says where they are put.'
            yield survey.finding("file-without-folder", ("flows", name, "pattern"), wrong, f'`folder = "inbox/{flow.source}"`')
    home, data = survey.look(""), survey.look(survey.shop.shop.data)
    read = {(*spot.path, part): other for other, _, spot in _filed(survey) for part in READ_FOLDERS}
    for name, flow, spot in _filed(survey):
        if home.within(spot.path):
            holds = "holds this file and whatever stands beside it"
        elif data.within(spot.path) or spot.within(data.path):
            holds = "is, holds or lies in the folder of the store"
        elif (inside := next((one for one in read if spot.within(one)), None)) is not None:
            holds = f'is where what flow "{read[inside]}" has read is put'
        else:
            continue
        wrong = f'Flow "{name}" reads files from {flow.folder}, which {holds}.'
        yield survey.finding("folder-unfit", ("flows", name, "folder"), wrong, f'`folder = "inbox/{flow.source}"`, for its files alone')


def data(survey: Survey) -> Findings:
    folder = survey.shop.shop.data
    if survey.look(folder).kind in ("file", "other"):
        wrong = f'shop.data: "{folder}" is no folder, so that no store can be in it.'
        yield survey.finding("data-unfit", ("shop", "data"), wrong, '`data = "mainstay-data"`, or another folder that Mainstay may make')


def _filed(survey: Survey) -> Iterator[tuple[str, Flow, Spot]]:
    for name, flow in survey.shop.flows.items():
        if flow.pattern == "file" and flow.folder:
            yield name, flow, survey.look(flow.folder)
