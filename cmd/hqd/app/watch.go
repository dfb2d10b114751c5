package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"bordergate/barcode/pass"
	"bordergate/sync/wire"
)

// mark is an entry of the watch-list as HQ keeps it: a keyed hash.
type mark struct {
	ver uint64
	on  bool
}

// WatchEntry is what a person has put on the watch-list, or taken off: an
// account, a pass or a person, exactly one of them.
type WatchEntry struct {
	Account string `json:"account,omitempty"`
	Pass    string `json:"pass,omitempty"`
	// Name is as a pass transliterates it (ICAO Doc 9303: NGUYEN<<VAN<A), Birth
	// the date of birth, YYYY-MM-DD.
	Name  string `json:"name,omitempty"`
	Birth string `json:"birth,omitempty"`
	By    string `json:"by"`
	Off   bool   `json:"off,omitempty"`
}

// watched gives the entry the form that is hashed. The error does not repeat it.
func (e WatchEntry) watched() (wire.Watched, error) {
	n := 0
	for _, s := range []string{e.Account, e.Pass, e.Name + e.Birth} {
		if s != "" {
			n++
		}
	}
	switch {
	case e.By == "":
		return "", fmt.Errorf("%w: nobody named as who orders it", wire.ErrDecision)
	case n != 1:
		return "", fmt.Errorf("%w: want one of an account, a pass, or a name with a date of birth", wire.ErrWatched)
	case len(e.Account) > wire.MaxAccountID:
		return "", fmt.Errorf("%w: account id of %d bytes", wire.ErrWatched, len(e.Account))
	case e.Account != "":
		return wire.WatchAccount(e.Account), nil
	case e.Pass != "":
		return wire.WatchPass(e.Pass), checkNumber(e.Pass)
	}
	bad := func(r rune) bool { return (r < 'A' || r > 'Z') && r != '<' }
	if strings.Trim(e.Name, "<") == "" || len(e.Name) > pass.MaxNameMRZ || strings.ContainsFunc(e.Name, bad) {
		return "", fmt.Errorf("%w: a name is 1 to %d of A-Z and '<', as on the pass", wire.ErrWatched, pass.MaxNameMRZ)
	}
	birth, err := time.Parse(time.DateOnly, e.Birth)
	if err != nil {
		return "", fmt.Errorf("%w: a date of birth is YYYY-MM-DD", wire.ErrWatched)
	}
	return wire.WatchPerson(e.Name, birth), nil
}

// Watch puts entries on the watch-list or takes them off, durably, and
// publishes their keyed hashes: all of them or, where one is refused, none.
// What is so already is left out. It returns how many were written.
func (l *ledger) Watch(ctx context.Context, list []WatchEntry) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var changes []wire.Change
	var by []string
	seen := make(map[string]bool)
	for i, e := range list {
		w, err := e.watched()
		if err != nil {
			return 0, fmt.Errorf("watch-list entry %d: %w", i, err)
		}
		key := string(w.Mark(l.watchKey[:]))
		if seen[key] {
			return 0, fmt.Errorf("watch-list entry %d: %w: twice in one list", i, wire.ErrWatched)
		}
		seen[key] = true
		m := l.marks[key]
		if m.on != e.Off {
			continue
		}
		changes = append(changes, wire.Change{Op: wire.OpWatch, Ver: m.ver + 1, Mark: []byte(key), On: !e.Off})
		by = append(by, e.By)
	}
	if len(changes) == 0 {
		return 0, nil
	}
	n := len(changes)
	if l.watchKeyVer == 0 {
		changes = append([]wire.Change{{Op: wire.OpWatchKey, Ver: 1, Key: l.watchKey[:]}}, changes...)
		by = append([]string{""}, by...)
	}
	entries := make([]entry, len(changes))
	for i, c := range changes {
		if err := c.Check(); err != nil {
			return 0, fmt.Errorf("write watch-list: %w", err)
		}
		raw, err := json.Marshal(c)
		if err != nil {
			return 0, fmt.Errorf("write watch-list: %w", err)
		}
		entries[i] = entry{Raw: raw, By: by[i]}
	}
	return n, l.append(ctx, entries, true)
}

// projectWatch moves the projection of the watch-list over one change.
func (l *ledger) projectWatch(c wire.Change) {
	if c.Op == wire.OpWatchKey {
		l.watchKeyVer = c.Ver
		return
	}
	old := l.marks[string(c.Mark)]
	if c.On && !old.on {
		l.watched++
	} else if !c.On && old.on {
		l.watched--
	}
	l.marks[string(c.Mark)] = mark{c.Ver, c.On}
}

func (a *App) watchList(w http.ResponseWriter, r *http.Request) {
	b, ok := body(w, r)
	if !ok {
		return
	}
	var list []WatchEntry
	err := strictJSON(b, &list)
	if err != nil {
		err = fmt.Errorf("read watch-list: %w: %w", wire.ErrWatched, err)
	}
	n := 0
	if err == nil {
		n, err = a.ledger.Watch(r.Context(), list)
	}
	reply(w, struct {
		Entries int `json:"entries"`
		Written int `json:"written"`
	}{len(list), n}, err)
}
