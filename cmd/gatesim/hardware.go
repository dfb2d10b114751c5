package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"bordergate/cmd/gatesim/board"
	"bordergate/cmd/gatesim/camera"
	"bordergate/cmd/gatesim/scanner"
	"bordergate/cmd/gatesim/scene"
	"bordergate/cmd/gatesim/station"
)

// hardware is the simulated gate: its board, its cameras and its scanner.
type hardware struct {
	board    *board.Board
	face     *camera.Camera
	document *camera.Camera
	scanner  *scanner.Scanner
	unlocks  chan int64
	port     string
	scanPort string

	stop    context.CancelFunc
	workers sync.WaitGroup
}

// newHardware powers the gate's hardware up in folder dir, with a board that the
// named driver is for.
func newHardware(dir, turnstile string, face, document []scene.Frame) (*hardware, error) {
	h := &hardware{unlocks: make(chan int64, 64), port: filepath.Join(dir, "barrier"), scanPort: filepath.Join(dir, "scanner")}
	o := board.DefaultOptions()
	o.Link, o.Log = h.port, filepath.Join(dir, "board.log")
	o.Counters, o.Controller = station.Counters, map[string]string{"lot": board.LOT, "swing7e": board.Swing}[turnstile]
	o.OnUnlock = func(at int64, _ int) {
		select {
		case h.unlocks <- at:
		default: // nobody listens; the board's log has it
		}
	}
	var err error
	if h.board, err = board.New(o); err != nil {
		return nil, fmt.Errorf("power up the board: %w", err)
	}
	h.face, err = camera.Listen("face", face)
	if err == nil {
		h.document, err = camera.Listen("document", document)
	}
	if err == nil {
		so := scanner.DefaultOptions()
		so.Link = h.scanPort
		h.scanner, err = scanner.New(so)
	}
	if err != nil {
		return nil, errors.Join(err, h.board.Close())
	}
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	for _, c := range []*camera.Camera{h.face, h.document} {
		h.workers.Go(func() { _ = c.Serve(ctx) }) // ends with ctx; a lost camera shows in the gate's own status
	}
	return h, nil
}

func (h *hardware) close() {
	h.stop()
	h.workers.Wait()
	_ = h.board.Close() // the log is only read after this
	_ = h.scanner.Close()
}
