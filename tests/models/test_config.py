from pathlib import Path

import pytest

from models.config import Settings, SettingsError, load_settings


class Small(Settings):
    days: int = 7


class Whole(Settings):
    name: str
    windows: Small = Small()
    parts: tuple[Small, ...] = ()


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_loads_and_overrides_by_dotted_key(tmp_path):
    file = write(tmp_path / "a.yaml", "name: x\nwindows: {days: 3}\n")
    assert load_settings(file, Whole).windows.days == 3
    assert load_settings(file, Whole, {"windows.days": 5, "name": "y"}) == Whole(name="y", windows=Small(days=5))


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Small().days = 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nwindows: {dayz: 3}", "unknown key 'windows.dayz'; allowed here: days"),
        ("name: x\nwindow: 3", "unknown key 'window'; allowed here: name, parts, windows"),
        ("name: x\nparts: [{days: 1}, {dais: 1}]", "unknown key 'parts.1.dais'; allowed here: days"),
        ("windows: {days: 3}", "key 'name' is required"),
        ("name: x\nwindows: {days: many}", "key 'windows.days': input should be a valid integer"),
        ("- name", "expected a mapping of keys to values, found list"),
        ("name: [x", "not valid YAML"),
    ],
)
def test_errors_name_file_key_and_what_is_allowed(tmp_path, text, message):
    file = write(tmp_path / "bad.yaml", text)
    with pytest.raises(SettingsError) as error:
        load_settings(file, Whole)
    assert str(file) in str(error.value)
    assert message in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"absent\.yaml: no such file"):
        load_settings(tmp_path / "absent.yaml", Whole)


def test_every_error_is_told_at_once(tmp_path):
    file = write(tmp_path / "bad.yaml", "windows: {days: many, dayz: 1}")
    with pytest.raises(SettingsError) as error:
        load_settings(file, Whole)
    assert len(str(error.value).splitlines()) == 3
