package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bordergate/hal"
	"bordergate/hal/port"
	"bordergate/hal/turnstile"
	"bordergate/hal/turnstile/modbus/modbustest"
	"bordergate/hal/turnstile/modbusio"
)

// laneSections lists the sections of the lane part in the order in which they
// run.
func laneSections() []namedSection {
	return []namedSection{
		{"poll", &polls{}},
		{"pulses", &pulses{}},
		{"unplug", &unplug{}},
		{"loop", &laneLoop{}},
	}
}

// lanePart measures the gate's own line and loop: the driver against pymodbus,
// and the lane without devices.
func lanePart(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o syncOptions
	sections := laneSections()
	names := make([]string, len(sections))
	for i, s := range sections {
		names[i] = s.name
	}
	fs := flag.NewFlagSet("gatebench lane", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.bin, "bin", "bin/.bench", "folder of the peer, a libmodbus master")
	fs.StringVar(&o.work, "work", "out/bench/lane", "folder of lines and journals")
	out := fs.String("out", "out/bench.json", "file of results")
	only := fs.String("only", "", "one section: "+strings.Join(names, ", "))
	for _, s := range sections {
		s.flags(fs)
	}
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *only != "" && !slices.Contains(names, *only) {
		return fmt.Errorf("--only %s: there are %s", *only, strings.Join(names, ", "))
	}
	return runSections(ctx, "lane", o, sections, *only, *out, stdout, stderr)
}

// Contacts of the benchmarks' board.
const (
	passEntry = iota
	passExit
	readyContact
	doorContact
	obstructionContact
	boardInputs = 16
)

// wireBaud is the speed of every line here.
const wireBaud = 115200

// boardLine is one driver, on a pymodbus slave at the far end of its line.
type boardLine struct {
	slave *modbustest.Slave
	dev   *turnstile.Driver
	stop  context.CancelFunc
	done  chan struct{}
}

// openBoard starts a slave and a driver on it, and returns when the driver is
// online. Wrap, where there is one, sees what crosses the port.
func openBoard(ctx context.Context, dir string, n int, wrap func(port.Port) port.Port) (*boardLine, error) {
	link, err := filepath.Abs(filepath.Join(dir, fmt.Sprintf("barrier-%d", n)))
	if err != nil {
		return nil, err
	}
	slave, err := modbustest.Start(modbustest.Options{Link: link, Baud: wireBaud, Unit: 1, Channels: boardInputs})
	if err != nil {
		return nil, err
	}
	o := modbusio.DefaultOptions()
	o.Profile, o.Port.Path, o.Port.Baud = modbusio.Profiles()["lc"], link, wireBaud
	o.Inputs = map[hal.Input]int{
		hal.InputPassEntry: passEntry, hal.InputPassExit: passExit, hal.InputReady: readyContact, hal.InputDoorClosed: doorContact,
		hal.InputObstruction: obstructionContact, hal.InputEmergency: 6, hal.InputPresence: 8,
	}
	o.Unlock = map[hal.Direction]int{hal.Entry: 0, hal.Exit: 1}
	if wrap != nil {
		o.Dial = func() (port.Port, error) {
			p, err := port.Open(o.Port)
			if err != nil {
				return nil, err
			}
			return wrap(p), nil
		}
	}
	dev, err := modbusio.New(o)
	if err != nil {
		return nil, errors.Join(err, slave.Close())
	}
	b := &boardLine{slave: slave, dev: dev, done: make(chan struct{})}
	serving, stop := context.WithCancel(ctx)
	b.stop = stop
	go func() {
		defer close(b.done)
		_ = dev.Serve(serving) // ends with its context
	}()
	if err := b.await(ctx, hal.DeviceOnline); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// await reads events until one of the kind comes.
func (b *boardLine) await(ctx context.Context, kind hal.EventKind) error {
	t := time.NewTimer(30 * time.Second)
	defer t.Stop()
	for {
		select {
		case e := <-b.dev.Events():
			if e.Kind == kind {
				return nil
			}
		case <-t.C:
			return fmt.Errorf("wait for %v: the driver says %w", kind, b.dev.Snapshot().Fault)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *boardLine) close() error {
	b.stop()
	<-b.done
	return b.slave.Close()
}

// openBoards starts several, at once.
func openBoards(ctx context.Context, dir string, n int) ([]*boardLine, error) {
	boards := make([]*boardLine, n)
	errs := make([]error, n)
	together(n, func(i int) { boards[i], errs[i] = openBoard(ctx, dir, i, nil) })
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, closeBoards(boards))
	}
	return boards, nil
}

func closeBoards(boards []*boardLine) error {
	errs := make([]error, len(boards))
	together(len(boards), func(i int) {
		if boards[i] != nil {
			errs[i] = boards[i].close()
		}
	})
	return errors.Join(errs...)
}
