package main

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// What a thread may spend on one frame: workCPU of processor time, or workTurns turns of the beat waiting for something that does not
// come. Time in which a loaded machine does not let it run is not its fault and does not count.
const (
	workCPU   = time.Second
	workTurns = int(time.Second / changeEvery)
)

// stall notices that a frame's work does not end.
type stall struct {
	frame uint32
	turns int
	began time.Duration
}

// look takes one turn. Read gives whether the working thread waits, and its processor time.
func (s *stall) look(frame uint32, read func() (waits bool, cpu time.Duration, err error)) bool {
	if frame == 0 {
		s.frame = 0
		return false
	}
	waits, cpu, err := read()
	switch {
	case err != nil:
		return false
	case frame != s.frame:
		s.frame, s.turns, s.began = frame, 0, cpu
		return false
	case waits:
		s.turns++
	}
	return s.turns >= workTurns || cpu-s.began >= workCPU
}

// clockTick is the unit of processor time in /proc on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// thread reads the state of one of this process's threads.
func thread(tid int) (waits bool, cpu time.Duration, err error) {
	b, err := os.ReadFile("/proc/self/task/" + strconv.Itoa(tid) + "/stat")
	if err != nil {
		return false, 0, err
	}
	return threadStat(b)
}

// threadStat takes state, utime and stime out of a stat line; the name before them is in brackets and may hold anything.
func threadStat(b []byte) (waits bool, cpu time.Duration, err error) {
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 13 {
		return false, 0, os.ErrInvalid
	}
	var ticks int64
	for _, field := range f[11:13] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return false, 0, err
		}
		ticks += n
	}
	return f[0][0] == 'S', time.Duration(ticks) * clockTick, nil
}
