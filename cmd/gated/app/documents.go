package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"bordergate/gate"
	"bordergate/sync/link"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// documents keeps headquarters' policy and officers' list: the newest of each,
// as it was signed, in the state folder. Each is verified again when it is read.
// A document that was lost, damaged or set back to an older one is not replaced
// by what ruled before it: its user is told that it is lost, until headquarters'
// retained one comes again. One that cannot be used changes nothing and is
// reported.
type documents struct {
	dir   string
	facts facts
	ring  *wire.Keyring
	log   *slog.Logger
	count func(cause string)
	users map[string]documentUser
	in    chan link.Document

	mu sync.Mutex
	at map[string]documentState
}

// documentUser makes use of a document.
type documentUser struct {
	// read judges a payload and gives its own version and what it takes to use
	// it, which cannot fail any more.
	read func(payload []byte) (ver uint64, use func(), err error)
	lost func() // there is one, and it is not here
}

// documentState is which document is in use, and what is wrong.
type documentState struct {
	ver   uint64 // 0: none
	fault string
}

func documentFact(typ string) string { return "hq_" + typ }

func (d *documents) path(typ string) string { return filepath.Join(d.dir, "hq-"+typ+".jws") }

// load takes up what was kept.
func (d *documents) load() {
	for typ, user := range d.users {
		doc, err := d.readKept(typ)
		floor := d.facts.Fact(documentFact(typ))
		if err == nil && doc.Ver < floor {
			err = fmt.Errorf("it has version %d, and %d was used here", doc.Ver, floor)
		}
		if errors.Is(err, fs.ErrNotExist) && floor == 0 {
			continue // none was ever here
		}
		if err == nil {
			err = d.use(doc)
		}
		if err != nil {
			d.note(typ, documentState{fault: fmt.Sprintf("headquarters' %s is lost here (%v): it comes again once headquarters is reached", typ, err)})
			user.lost()
		}
	}
}

func (d *documents) readKept(typ string) (link.Document, error) {
	f, err := os.Open(d.path(typ))
	if err != nil {
		return link.Document{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, wire.MaxMessage+1))
	if err != nil {
		return link.Document{}, err
	}
	return link.ReadDocument(d.ring, typ, b)
}

// take queues a document; it never blocks. Headquarters sends one that finds no
// place again, since the gate's state says what it has.
func (d *documents) take(doc link.Document) {
	select {
	case d.in <- doc:
	default:
		d.count(link.CauseDocument)
	}
}

// serve takes up what comes until ctx ends.
func (d *documents) serve(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case doc := <-d.in:
			d.renew(doc)
		}
	}
}

// renew puts a newer document in the place of the one in use.
func (d *documents) renew(doc link.Document) {
	now := d.now(doc.Typ)
	newest := max(now.ver, d.facts.Fact(documentFact(doc.Typ)))
	switch {
	case doc.Ver < newest:
		d.count(link.CauseDocument)
		d.log.Warn("Older document of headquarters refused", "type", doc.Typ, "version", doc.Ver, "newest", newest)
		return
	case doc.Ver == now.ver:
		return // the broker keeps it for us
	}
	if err := d.use(doc); err != nil {
		d.count(link.CauseDocument)
		d.note(doc.Typ, documentState{ver: now.ver, fault: fmt.Sprintf(
			"headquarters' %s %d is not used (%v): have headquarters correct it, or install newer software here", doc.Typ, doc.Ver, err)})
		return
	}
	err := vault.ReplaceFile(d.path(doc.Typ), doc.Signed)
	if err == nil {
		err = d.facts.Advance(documentFact(doc.Typ), doc.Ver)
	}
	if err != nil {
		d.note(doc.Typ, documentState{ver: doc.Ver, fault: fmt.Sprintf("headquarters' %s is used and cannot be kept: %v; see to the disk", doc.Typ, err)})
	}
}

// use judges a document and makes it the one in use.
func (d *documents) use(doc link.Document) error {
	ver, use, err := d.users[doc.Typ].read(doc.Payload)
	if err == nil && ver != doc.Ver {
		err = fmt.Errorf("version %d in its header, %d inside", doc.Ver, ver)
	}
	if err != nil {
		return err
	}
	use()
	d.note(doc.Typ, documentState{ver: ver})
	d.log.Info("Document of headquarters in use", "type", doc.Typ, "version", ver)
	return nil
}

func (d *documents) note(typ string, s documentState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at[typ] = s
	if s.fault != "" {
		d.log.Error("Document of headquarters is not as it should be", "error", s.fault)
	}
}

func (d *documents) now(typ string) documentState {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at[typ]
}

// openDocuments reads what headquarters last had this gate work by.
func (a *App) openDocuments(b wire.Bundle) error {
	ring, err := b.Keyring()
	if err != nil {
		return err
	}
	a.rules.changed = func() { a.post(gate.AccountChanged(a.mono(), "")) }
	a.officers = newOfficers(a.cfg.Gate.ID, a.cfg.Gate.Crossing, a.clock)
	a.documents = &documents{
		dir: a.cfg.Paths.State, facts: a.journal, ring: ring, log: a.log.With("part", "documents"),
		count: func(cause string) { a.hq.gate.Count(cause) }, in: make(chan link.Document, 4), at: make(map[string]documentState),
		users: map[string]documentUser{wire.TypePolicy: a.rules.user(), wire.TypeOfficers: a.officers.user()},
	}
	a.documents.load()
	return nil
}

// worksBy puts into the gate's state what it works by.
func (a *App) worksBy(s *wire.State) {
	for typ, ver := range map[string]*uint64{wire.TypePolicy: &s.Policy, wire.TypeOfficers: &s.Officers} {
		at := a.documents.now(typ)
		if *ver = at.ver; at.fault != "" {
			s.Faults = append(s.Faults, typ)
		}
	}
}
