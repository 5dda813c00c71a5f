from velora_ros.errors import did_you_mean


def test_an_unknown_name_gets_the_nearest_and_the_list() -> None:
    assert did_you_mean('gama', ['tau', 'gamma']) == " Did you mean 'gamma'? Valid: gamma, tau."
    assert did_you_mean('zzz', []) == ' Valid: none.'
