package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"bordergate/hal"
	"bordergate/hal/port"

	"golang.org/x/sys/unix"
)

// What was asked for of the line to the board.
const (
	goalPoll   = 20.0 // ms, p99
	goalPulses = 10_000
	goalResume = 2.0 // s
	goalAway   = 5.0 // % of one processor
)

// together runs f for each of n and waits for all.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

// folder makes a section's folder.
func folder(o syncOptions, name string) (string, error) {
	dir := filepath.Join(o.work, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make folder: %w", err)
	}
	return dir, nil
}

// polls measures how long the board's inputs take to read, beside a libmodbus
// master on the same slave.
type polls struct{ count int }

func (s *polls) flags(fs *flag.FlagSet) {
	fs.IntVar(&s.count, "poll-count", 2000, "how often the inputs are read")
}

func (s *polls) measure(ctx context.Context, o syncOptions, out, progress io.Writer) ([]row, bool, error) {
	dir, err := folder(o, "poll")
	if err != nil {
		return nil, false, err
	}
	fmt.Fprintf(progress, "bench: %d polls of pymodbus\n", s.count)
	watch := &stopwatch{want: s.count, full: make(chan struct{})}
	b, err := openBoard(ctx, dir, 0, func(p port.Port) port.Port { watch.Port = p; return watch })
	if err != nil {
		return nil, false, err
	}
	go func() { // nobody needs its events
		for {
			select {
			case <-b.dev.Events():
			case <-b.done:
				return
			}
		}
	}()
	select {
	case <-watch.full:
	case <-ctx.Done():
	}
	b.stop()
	<-b.done
	peer, err := peerPolls(ctx, filepath.Join(o.bin, "modbus"), filepath.Join(dir, "barrier-0"), s.count)
	if err = errors.Join(err, b.slave.Close(), ctx.Err()); err != nil {
		return nil, false, err
	}
	ours := watch.list
	fmt.Fprintf(out, "\n16 inputs from pymodbus at %d baud, ms %8s %8s %8s %8s\n", wireBaud, "n", "p50", "p99", "max")
	for name, v := range map[string][]float64{"ours": ours, "libmodbus": peer} {
		fmt.Fprintf(out, "%-38s %8d %8.2f %8.2f %8.2f\n", name, len(v), quantile(v, .5), quantile(v, .99), quantile(v, 1))
	}
	p99 := quantile(ours, .99)
	return []row{
		{Name: "poll of 16 inputs p50", Value: quantile(ours, .5), Unit: "ms", Peer: "libmodbus", PeerValue: quantile(peer, .5), OK: true},
		{Name: "poll of 16 inputs p99", Value: p99, Unit: "ms", Peer: "libmodbus", PeerValue: quantile(peer, .99), Goal: fmt.Sprintf("<= %.0f", goalPoll), OK: p99 <= goalPoll},
	}, s.count >= 1000, nil
}

// stopwatch times the answers to readings of the inputs. One goroutine, the
// driver's, uses the port.
type stopwatch struct {
	port.Port
	want   int
	full   chan struct{}
	asked  time.Time
	last   time.Time
	inputs bool
	list   []float64
}

// readInputs is Modbus' function for discrete inputs.
const readInputs = 2

func (s *stopwatch) Write(p []byte) (int, error) {
	if s.inputs && s.last.After(s.asked) && len(s.list) < s.want {
		if s.list = append(s.list, float64(s.last.Sub(s.asked).Microseconds())/1000); len(s.list) == s.want {
			close(s.full)
		}
	}
	s.inputs, s.asked = len(p) > 1 && p[1] == readInputs, time.Now()
	return s.Port.Write(p)
}

func (s *stopwatch) Read(p []byte) (int, error) {
	n, err := s.Port.Read(p)
	if n > 0 {
		s.last = time.Now() // of the answer's last byte, when the next is asked
	}
	return n, err
}

func peerPolls(ctx context.Context, program, link string, count int) ([]float64, error) {
	text, err := exec.CommandContext(ctx, program, link, strconv.Itoa(count)).Output()
	if err != nil {
		return nil, fmt.Errorf("run the libmodbus master: %w", err)
	}
	var list []float64
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		us, err := strconv.ParseFloat(strings.TrimSpace(lines.Text()), 64)
		if err != nil {
			return nil, fmt.Errorf("read the libmodbus master: %w", err)
		}
		list = append(list, us/1000)
	}
	return list, nil
}

// pulses counts passages of which the contact closes for 100 ms.
type pulses struct{ count, boards int }

func (s *pulses) flags(fs *flag.FlagSet) {
	fs.IntVar(&s.count, "pulses", goalPulses, "passages in all")
	fs.IntVar(&s.boards, "pulse-boards", 12, "boards at once, each with a line and a driver of its own")
}

// Times of a passage contact: as short as any gate's, and open for long enough
// to count as the next person.
const (
	contactClosed = 100 * time.Millisecond
	contactOpen   = 100 * time.Millisecond
)

func (s *pulses) measure(ctx context.Context, o syncOptions, out, progress io.Writer) ([]row, bool, error) {
	dir, err := folder(o, "pulses")
	if err != nil {
		return nil, false, err
	}
	each := (s.count + s.boards - 1) / s.boards // as many as asked for, or a few more
	fmt.Fprintf(progress, "bench: %d passages at each of %d boards, %v\n", each, s.boards, time.Duration(each)*(contactClosed+contactOpen))
	boards, err := openBoards(ctx, dir, s.boards)
	if err != nil {
		return nil, false, err
	}
	var seen atomic.Int64
	errs := make([]error, len(boards))
	together(len(boards), func(i int) { errs[i] = boards[i].walk(ctx, each, &seen) })
	var looks hal.Looks
	for _, b := range boards {
		l := b.dev.Snapshot().Looks
		looks.Count, looks.Late, looks.Longest = looks.Count+l.Count, looks.Late+l.Late, max(looks.Longest, l.Longest)
	}
	if err := errors.Join(append(errs, closeBoards(boards))...); err != nil {
		return nil, false, err
	}
	total := each * s.boards
	missed, longest := float64(total)-float64(seen.Load()), float64(looks.Longest.Microseconds())/1000
	fmt.Fprintf(out, "\n%d passages of %v at %d boards at once: %.0f missed; %d looks, %d of them later than %v, the latest %.1f ms\n",
		total, contactClosed, s.boards, missed, looks.Count, looks.Late, contactClosed, longest)
	return []row{
		{Name: fmt.Sprintf("passages of 100 ms missed, of %d", total), Value: missed, Unit: "missed", Goal: "0", OK: missed == 0},
		{Name: "longest between two looks at the inputs", Value: longest, Unit: "ms", OK: true},
	}, total >= goalPulses, nil
}

// walk closes the board's passage contact so often and counts what the driver
// tells of it.
func (b *boardLine) walk(ctx context.Context, count int, seen *atomic.Int64) error {
	tick := time.NewTicker(contactClosed + contactOpen)
	defer tick.Stop()
	last := 3 // turns after the last pulse, for its event
	for given := 0; given < count || last > 0; {
		select {
		case e := <-b.dev.Events():
			switch e.Kind {
			case hal.ForcedEntry: // nobody was granted
				seen.Add(1)
			case hal.DeviceOffline:
				return fmt.Errorf("a board is away: %w", b.dev.Snapshot().Fault)
			}
		case <-tick.C:
			if given == count {
				last--
				continue
			}
			if err := b.slave.Pulse(passExit, contactClosed); err != nil {
				return err
			}
			given++
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// unplug pulls cables and puts them back.
type unplug struct{ rounds, boards int }

func (s *unplug) flags(fs *flag.FlagSet) {
	fs.IntVar(&s.rounds, "unplug-rounds", 5, "how often each cable is pulled")
	fs.IntVar(&s.boards, "unplug-boards", 8, "boards at once")
}

// away is how long a cable stays out: longer than the waits between two tries
// take to reach their limit.
const away = 6 * time.Second

func (s *unplug) measure(ctx context.Context, o syncOptions, out, progress io.Writer) ([]row, bool, error) {
	dir, err := folder(o, "unplug")
	if err != nil {
		return nil, false, err
	}
	fmt.Fprintf(progress, "bench: %d cables pulled %d times\n", s.boards, s.rounds)
	boards, err := openBoards(ctx, dir, s.boards)
	if err != nil {
		return nil, false, err
	}
	var mu sync.Mutex
	var resumed, noticed []float64
	var used float64
	for range s.rounds {
		errs := make([]error, len(boards))
		together(len(boards), func(i int) {
			start := time.Now()
			errs[i] = errors.Join(boards[i].slave.Unplug(), boards[i].await(ctx, hal.DeviceOffline))
			mu.Lock()
			defer mu.Unlock()
			noticed = append(noticed, time.Since(start).Seconds())
		})
		before, start := processTime(), time.Now()
		select {
		case <-time.After(away):
		case <-ctx.Done():
		}
		used = max(used, 100*(processTime()-before).Seconds()/time.Since(start).Seconds())
		together(len(boards), func(i int) {
			// The lines come back at different moments of the driver's wait.
			<-time.After(time.Duration(i) * 130 * time.Millisecond)
			err := boards[i].slave.Plug()
			start := time.Now()
			errs[i] = errors.Join(errs[i], err, boards[i].await(ctx, hal.DeviceOnline))
			mu.Lock()
			defer mu.Unlock()
			resumed = append(resumed, time.Since(start).Seconds())
		})
		if err := errors.Join(errs...); err != nil {
			return nil, false, errors.Join(err, closeBoards(boards))
		}
	}
	if err := closeBoards(boards); err != nil {
		return nil, false, err
	}
	longest := quantile(resumed, 1)
	fmt.Fprintf(out, "\n%d cables pulled: noticed after %.3f s at most; in service again after p50 %.2f, max %.2f s; the process used %.2f %% of a processor with all %d away\n",
		len(resumed), quantile(noticed, 1), quantile(resumed, .5), longest, used, s.boards)
	return []row{
		{Name: fmt.Sprintf("replugged to in service, slowest of %d", len(resumed)), Value: longest, Unit: "s", Goal: fmt.Sprintf("<= %.0f", goalResume), OK: longest <= goalResume},
		{Name: fmt.Sprintf("processor used with %d lines away", s.boards), Value: used, Unit: "%", Goal: fmt.Sprintf("< %.0f", goalAway), OK: used < goalAway},
	}, s.rounds*s.boards >= 20, nil
}

// processTime is what this process has used of the processors.
func processTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
