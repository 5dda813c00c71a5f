"""The report."""

from velora_ros.doctor.findings import Finding, as_json, is_ready, report

FINE, NOTE = Finding('ok', 'rate', '/a', '50 Hz'), Finding('note', 'gap', '/a', 'a gap')
WRONG = Finding('mend', 'sign', 'hinge', 'the sign is wrong. Correct it.')


def test_it_ends_with_ready_if_nothing_must_be_mended():
    assert is_ready([FINE, NOTE])
    assert report([FINE, NOTE])[-1] == 'ready'


def test_it_ends_with_the_list_of_what_to_mend():
    lines = report([FINE, WRONG, NOTE, WRONG])
    one, two = (f'  {n}. hinge: the sign is wrong. Correct it.' for n in (1, 2))
    assert lines[-3:] == ['not ready, 2 to correct:', one, two]
    assert not is_ready([FINE, WRONG])


def test_json_has_every_finding():
    found = as_json([FINE, WRONG], policy='p')
    assert (found['event'], found['ready'], found['policy']) == ('doctor', False, 'p')
    assert found['findings'][1] == {'level': 'mend', 'check': 'sign', 'about': 'hinge', 'text': WRONG.text}
