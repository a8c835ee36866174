import pytest

from softcam_core.errors import SettingsError
from softcam_core.explainers.methods import METHODS
from softcam_viewer.model.methods import COSTS, FAMILIES, list_methods, name_of, spec_of, values_of


def test_every_method_of_the_core_is_listed_by_family_with_its_cost_in_words():
    listed = list_methods()
    assert {method.name for method in listed} == set(METHODS)
    families = [method.family for method in listed]
    assert families == sorted(families, key=list(FAMILIES).index)
    assert all(method.cost in COSTS for method in listed)
    assert listed[0].name == "evidence"


def test_options_are_those_of_the_method_with_their_defaults():
    for method in list_methods():
        assert {option.name: option.default for option in method.options} == METHODS[method.name].defaults()
        assert all(option.help for option in method.options)
        assert spec_of(method.name, values_of(method.name)) == method.name


def test_changed_options_are_part_of_the_method_and_can_be_read_back():
    spec = spec_of("gradcam", {"layer": "features.3", "relu": False})
    assert name_of(spec) == "gradcam"
    assert values_of(spec) == {"layer": "features.3", "relu": False}


def test_a_value_that_does_not_fit_is_refused_by_name():
    with pytest.raises(SettingsError, match="gradcam:relu"):
        spec_of("gradcam", {"relu": "perhaps"})
