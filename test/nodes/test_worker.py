"""The newest item only, whatever the pace of the worker."""

import threading

from mift_ros.nodes.worker import NewestWorker


def test_items_that_come_while_it_works_replace_each_other():
    busy, go_on, done = threading.Event(), threading.Event(), threading.Event()
    worked = []

    def work(item):
        worked.append(item)
        busy.set()
        assert go_on.wait(10)
        if item == 4:
            done.set()

    worker = NewestWorker(work, "test")
    assert not worker.put(1)
    assert busy.wait(10)
    assert [worker.put(item) for item in (2, 3, 4)] == [False, True, True]
    go_on.set()
    assert done.wait(10)
    worker.close()
    assert worked == [1, 4]


def test_close_finishes_the_item_in_work_and_forgets_the_next():
    busy, go_on, worked = threading.Event(), threading.Event(), []

    def work(item):
        busy.set()
        assert go_on.wait(10)
        worked.append(item)

    worker = NewestWorker(work, "test")
    worker.put("first")
    assert busy.wait(10)
    worker.put("never")
    closing = threading.Thread(target=worker.close)
    closing.start()
    while not worker._closed:
        pass
    go_on.set()
    closing.join(10)
    assert not closing.is_alive()
    assert worked == ["first"]
