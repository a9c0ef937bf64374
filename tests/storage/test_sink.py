"""What HDF5 writes to: a file, and memory once the disk is full; signals wait meanwhile."""

import os
import signal
import threading

import numpy as np
import pytest

from phasenet.storage.sink import Sink, waiting_signals


def test_a_sink_is_a_file(tmp_path):
    sink, twin = Sink(tmp_path / "a"), (tmp_path / "b").open("wb+")
    draw = np.random.default_rng(0)
    for _ in range(200):
        place, data = int(draw.integers(0, 500)), draw.bytes(int(draw.integers(0, 60)))
        for file in (sink, twin):
            file.seek(place)
            assert file.write(memoryview(data)) == len(data)
            assert file.tell() == place + len(data)
        place = int(draw.integers(0, 400))
        read = []
        for file in (sink, twin):
            file.seek(place)
            buffer = bytearray(40)
            file.readinto(memoryview(buffer))
            read.append(bytes(buffer))
        assert read[0] == read[1]
        assert sink.seek(0, os.SEEK_END) == twin.seek(0, os.SEEK_END)
    sink.truncate(300)
    assert sink.seek(0, os.SEEK_END) == (tmp_path / "a").stat().st_size == 300
    sink.flush()
    sink.check()
    sink.close()
    twin.close()


def test_a_sink_on_a_full_disk_goes_on_in_memory(small_disk):
    sink, wanted = Sink(small_disk / "a"), bytearray(200_000)
    draw = np.random.default_rng(1)
    for _ in range(100):
        place, data = int(draw.integers(0, 190_000)), draw.bytes(int(draw.integers(1, 9_000)))
        wanted[place : place + len(data)] = data
        sink.seek(place)
        sink.write(data)
        place = int(draw.integers(0, 190_000))
        sink.seek(place)
        assert sink.read(5_000) == bytes(wanted[place : place + 5_000])
    with pytest.raises(OSError, match="No space left on device"):
        sink.check()
    sink.close()


def test_signals_wait_until_the_block_ends_or_they_are_let_in():
    with pytest.raises(KeyboardInterrupt), waiting_signals() as handle:
        signal.raise_signal(signal.SIGINT)
        handle()
        raise AssertionError
    reached = []
    with pytest.raises(KeyboardInterrupt), waiting_signals():
        signal.raise_signal(signal.SIGINT)
        reached.append("the end")
    assert reached == ["the end"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_signals_that_python_does_not_handle_are_left_alone():
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        with waiting_signals():
            assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_other_threads_have_no_signals_to_hold_back():
    done = []

    def work():
        with waiting_signals() as handle:
            handle()
            done.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [signal.getsignal(signal.SIGINT)]
