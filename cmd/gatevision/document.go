package main

import (
	"bytes"
	"time"

	"bordergate/barcode/symbol"
	"bordergate/biometrics/vision"
	worker "bordergate/hal/vision"
)

// Rhythm of the document worker.
const (
	symbolBudget = 28 * time.Millisecond
	repeatAfter  = int64(500 * time.Millisecond)
	keepSeen     = 8
)

// documentJob reads barcodes. Within a session the reader follows what it has
// read and adds up what it could not read; the next traveller's session begins
// without either.
type documentJob struct {
	child   *worker.Child
	reader  *symbol.Reader
	budget  time.Duration
	session uint32
	seen    []sighting
	shown   shown
}

// sighting is a payload sent, and when.
type sighting struct {
	payload []byte
	at      int64
}

func newDocumentJob(cfg worker.WorkerConfig, child *worker.Child) *documentJob {
	budget := symbolBudget
	if cfg.SymbolBudgetMillis > 0 {
		budget = time.Duration(cfg.SymbolBudgetMillis) * time.Millisecond
	}
	return &documentJob{child: child, reader: symbol.NewReader(), budget: budget}
}

func (d *documentJob) begin(session uint32) {
	d.session, d.seen = session, nil
	d.reader.Forget()
	d.shown.begin()
}

func (d *documentJob) close() {}

func (d *documentJob) frame(f *vision.Frame, enter func(string)) error {
	enter("luma")
	pix, err := f.Luma()
	if err != nil {
		return err
	}
	w, h := f.Size()
	if d.shown.frame(pix, w, h) {
		if err := d.child.Send(worker.Shown{Session: d.session, FrameAt: f.At()}); err != nil {
			return err
		}
	}
	enter("symbol")
	for _, s := range d.reader.Read(symbol.Luma{Pix: pix, Stride: w, W: w, H: h}, d.budget) {
		now := monotonic()
		if !d.fresh(s.Payload, now) {
			continue
		}
		err := d.child.Send(worker.Symbol{
			Session: d.session, FrameAt: f.At(), DoneAt: now, Symbology: s.Symbology, Payload: s.Payload, Corners: s.Corners,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// fresh tells whether a payload is new, or was sent long enough ago to be sent again.
func (d *documentJob) fresh(payload []byte, now int64) bool {
	for i := range d.seen {
		if bytes.Equal(d.seen[i].payload, payload) {
			if now-d.seen[i].at < repeatAfter {
				return false
			}
			d.seen[i].at = now
			return true
		}
	}
	if len(d.seen) >= keepSeen {
		d.seen = d.seen[1:]
	}
	d.seen = append(d.seen, sighting{payload: bytes.Clone(payload), at: now})
	return true
}
