package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"bordergate/barcode/seal"
	"bordergate/configs"
	"bordergate/sync/wire"
)

// trustState is the projection of the trust store: the newest one published,
// and the bytes of its parts.
type trustState struct {
	ver   uint64
	seq   uint64 // its place in the log
	store wire.Trust
	parts map[wire.Hash][]byte
}

// projectTrust moves the projection of the trust store over one change, the
// one at l.seq.
func (l *ledger) projectTrust(c wire.Change) {
	t := &l.trust
	if c.Op == wire.OpTrustPart {
		t.parts[wire.PartHash(c.Part)] = c.Part
		return
	}
	t.ver, t.seq, t.store = c.Ver, l.seq, *c.Trust
	named := t.store.Parts()
	maps.DeleteFunc(t.parts, func(h wire.Hash, _ []byte) bool { return !slices.Contains(named, h) })
}

// files are what is published, each a file of its own.
func (t *trustState) files() ([]seal.TrustFile, error) {
	certificates, lists, err := t.store.Join(func(h wire.Hash) []byte { return t.parts[h] })
	if err != nil {
		return nil, err
	}
	var out []seal.TrustFile
	for _, der := range slices.Concat(certificates, lists) {
		out = append(out, seal.TrustFile{Name: publishedName + fingerprint(der)[:16], Data: der})
	}
	return out, nil
}

// publishedName begins the names of what is published already; no file that a
// person names begins so.
const publishedName = "published/"

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// TrustOrder is what a person asks HQ to make of the trust store. What is nil
// stays as it is.
type TrustOrder struct {
	By  string      `json:"by"`
	Add []TrustFile `json:"add,omitempty"`
	// Replace leaves nothing in the store but what Add holds.
	Replace bool `json:"replace,omitempty"`
	// Again publishes the store whole although nothing changes.
	Again  bool     `json:"again,omitempty"`
	Remove []string `json:"remove,omitempty"` // SHA-256 of certificates and lists
	// Compared are the SHA-256 of new anchors that a person has compared.
	Compared  []string `json:"compared,omitempty"`
	Lists     *string  `json:"lists,omitempty"`
	ListAge   *int64   `json:"list_age_s,omitempty"`
	AllowP224 *bool    `json:"allow_p224,omitempty"`
}

// TrustFile is a file with certificates or revocation lists, PEM or DER.
type TrustFile struct {
	Name string `json:"name"`
	Data []byte `json:"data"`
}

// ErrTrust means that HQ will not have gates believe this.
var ErrTrust = errors.New("trust store is refused")

// Trust makes a new version of the trust store durable and publishes it, or
// refuses to make it; false where it would say what the newest says already.
func (l *ledger) Trust(ctx context.Context, o TrustOrder) (written bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o.By == "" {
		return false, fmt.Errorf("publish trust store: %w: nobody named as who publishes", ErrTrust)
	}
	store, parts, err := l.trust.next(o, time.Now())
	if err != nil {
		return false, fmt.Errorf("publish trust store: %w", err)
	}
	if !o.Again && l.trust.ver != 0 && sameTrust(store, l.trust.store) {
		return false, nil
	}
	now := time.Now()
	store.Issued = now.UnixNano()
	// The time keeps the versions of an HQ made anew above those that gates know.
	ver := max(l.trust.ver+1, uint64(now.Unix()))
	var entries []entry
	for _, h := range store.Parts() {
		if _, known := l.trust.parts[h]; known && !o.Again {
			continue
		}
		c := wire.Change{Op: wire.OpTrustPart, Ver: ver, Part: parts[h]}
		if entries, err = appendChange(entries, c, o.By); err != nil {
			return false, fmt.Errorf("publish trust store: %w", err)
		}
	}
	if entries, err = appendChange(entries, wire.Change{Op: wire.OpTrust, Ver: ver, Trust: &store}, o.By); err != nil {
		return false, fmt.Errorf("publish trust store: %w", err)
	}
	return true, l.append(ctx, entries, false)
}

func appendChange(to []entry, c wire.Change, by string) ([]entry, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(c)
	return append(to, entry{Raw: raw, By: by}), err
}

func sameTrust(a, b wire.Trust) bool {
	return a.Lists == b.Lists && a.ListAge == b.ListAge && a.AllowP224 == b.AllowP224 && len(a.Certificates) == len(b.Certificates) &&
		slices.Equal(a.Parts(), b.Parts())
}

// next is the store that an order makes of the published one.
func (t *trustState) next(o TrustOrder, now time.Time) (wire.Trust, map[wire.Hash][]byte, error) {
	policy, err := t.policy(o)
	if err != nil {
		return wire.Trust{}, nil, err
	}
	have, err := t.files()
	if err != nil {
		return wire.Trust{}, nil, err
	}
	files, err := o.files(have)
	if err != nil {
		return wire.Trust{}, nil, err
	}
	judged := seal.ReadTrust(trustOptions(policy), files...)
	known := make(map[string]bool)
	for _, f := range have {
		known[fingerprint(f.Data)] = true
	}
	if err := o.judge(judged, known, now); err != nil {
		return wire.Trust{}, nil, err
	}
	var certificates, lists [][]byte
	for _, e := range judged.Entries(now) {
		if e.Kind == seal.KindList {
			lists = append(lists, e.DER)
		} else {
			certificates = append(certificates, e.DER)
		}
	}
	slices.SortFunc(certificates, slices.Compare)
	slices.SortFunc(lists, slices.Compare)
	store, parts := wire.NewTrust(certificates, lists)
	store.Lists, store.ListAge, store.AllowP224 = policy.Lists, policy.ListAge, policy.AllowP224
	return store, parts, nil
}

// policy is the published policy with what the order changes of it.
func (t *trustState) policy(o TrustOrder) (wire.Trust, error) {
	p := wire.Trust{Lists: wire.ListsOff, ListAge: t.store.ListAge, AllowP224: t.store.AllowP224}
	if t.ver != 0 {
		p.Lists = t.store.Lists
	}
	if o.Lists != nil {
		p.Lists = *o.Lists
	}
	if o.ListAge != nil {
		p.ListAge = *o.ListAge
	}
	if o.AllowP224 != nil {
		p.AllowP224 = *o.AllowP224
	}
	switch {
	case !slices.Contains(wire.ListRules(), p.Lists):
		return p, fmt.Errorf("%w: lists are off, when-present or required, not %.20q", ErrTrust, p.Lists)
	case p.ListAge < 0 || p.ListAge > wire.MaxListAge:
		return p, fmt.Errorf("%w: a list age is 0, for each list's own next update, to %d days", ErrTrust, wire.MaxListAge/86400)
	}
	return p, nil
}

// trustOptions are the options by which gates will judge.
func trustOptions(p wire.Trust) seal.TrustOptions {
	lists, _ := seal.ParseListPolicy(p.Lists)
	return seal.TrustOptions{AllowP224: p.AllowP224, Lists: lists, ListAge: time.Duration(p.ListAge) * time.Second}
}

// files are those that the new store is to be made of: the published ones that
// stay, and the added ones.
func (o TrustOrder) files(have []seal.TrustFile) ([]seal.TrustFile, error) {
	var out []seal.TrustFile
	gone := make(map[string]bool)
	for _, r := range o.Remove {
		gone[configs.Fingerprint(r)] = true
	}
	for _, f := range have {
		print := fingerprint(f.Data)
		if !o.Replace && !gone[print] {
			out = append(out, f)
		}
		delete(gone, print)
	}
	for print := range gone {
		return nil, fmt.Errorf("%w: nothing in the store has the SHA-256 %.64s: list it with hqd trust list", ErrTrust, print)
	}
	for _, f := range o.Add {
		if strings.HasPrefix(f.Name, publishedName) || len(f.Data) == 0 || len(f.Data) > seal.MaxTrustFile {
			return nil, fmt.Errorf("%w: %.100s is empty, too large, or has a name kept for others", ErrTrust, f.Name)
		}
		out = append(out, seal.TrustFile{Name: f.Name, Data: f.Data})
	}
	return out, nil
}

// judge refuses what gates must not be sent. Everything new must be in order
// now; of what was there, nothing may come to hang in the air. Known are the
// fingerprints of what is published.
func (o TrustOrder) judge(t *seal.Trust, known map[string]bool, now time.Time) error {
	for _, l := range t.LeftOut() {
		if !strings.HasPrefix(l.File, publishedName) {
			return fmt.Errorf("%w: %.100s: %w", ErrTrust, l.File, l.Err)
		}
	}
	signers, used := 0, make(map[string]bool)
	for _, e := range t.Entries(now) {
		used[e.File] = true
		if e.Kind == seal.KindSigner {
			signers++
		}
		if err := o.judgeEntry(e, known[hex.EncodeToString(e.Fingerprint[:])]); err != nil {
			return err
		}
	}
	for _, f := range o.Add {
		if !used[f.Name] && !o.Replace {
			return fmt.Errorf("%w: nothing new in %.100s: what it holds is there already, or is older", ErrTrust, f.Name)
		}
	}
	if signers == 0 {
		return fmt.Errorf("%w: it would have no signer, and every gate would refer every pass", ErrTrust)
	}
	return nil
}

func (o TrustOrder) judgeEntry(e seal.Entry, known bool) error {
	what := fmt.Sprintf("%s %s of %.100s", e.Kind, hex.EncodeToString(e.Fingerprint[:8]), e.File)
	switch {
	case errors.Is(e.Err, seal.ErrChain) && known:
		return fmt.Errorf("%w: %s would lead to no authority any more: remove it as well", ErrTrust, what)
	case errors.Is(e.Err, seal.ErrChain):
		return fmt.Errorf("%w: %s leads to no authority in the store: add its authority with it", ErrTrust, what)
	case errors.Is(e.Err, seal.ErrNoList):
		return fmt.Errorf("%w: %s would not be believed, since lists are required: add its authority's revocation list", ErrTrust, what)
	case known:
		return nil
	case e.Code != seal.Valid:
		return fmt.Errorf("%w: %s: %s: %w", ErrTrust, what, e.Code, e.Err)
	case e.Anchor && !o.compared(e.Fingerprint[:]):
		return fmt.Errorf("%w: nothing in the store vouches for %s: compare its SHA-256 %x with its issuer's and name it with --fingerprint", ErrTrust, what, e.Fingerprint)
	}
	return nil
}

func (o TrustOrder) compared(fingerprint []byte) bool {
	return slices.ContainsFunc(o.Compared, func(c string) bool { return configs.Fingerprint(c) == hex.EncodeToString(fingerprint) })
}

// TrustReport is the published store.
type TrustReport struct {
	Version   uint64       `json:"version"` // 0: none was ever published
	Issued    time.Time    `json:"issued,omitzero"`
	Seq       uint64       `json:"seq"` // its place in the log: a gate whose cursor is there has it
	Written   bool         `json:"written"`
	Lists     string       `json:"lists,omitempty"`
	ListAge   int64        `json:"list_age_s"`
	AllowP224 bool         `json:"allow_p224"`
	Entries   []seal.Shown `json:"entries"`
}

func (l *ledger) trustReport(now time.Time) (TrustReport, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := &l.trust
	r := TrustReport{Version: t.ver, Entries: []seal.Shown{}}
	if t.ver == 0 {
		return r, nil
	}
	r.Issued, r.Seq = time.Unix(0, t.store.Issued).UTC(), t.seq
	r.Lists, r.ListAge, r.AllowP224 = t.store.Lists, t.store.ListAge, t.store.AllowP224
	files, err := t.files()
	if err != nil {
		return r, fmt.Errorf("list trust store: %w", err)
	}
	for _, e := range seal.ReadTrust(trustOptions(t.store), files...).Entries(now) {
		r.Entries = append(r.Entries, e.Show())
	}
	return r, nil
}

func (a *App) listTrust(w http.ResponseWriter, _ *http.Request) {
	r, err := a.ledger.trustReport(time.Now())
	reply(w, r, err)
}

func (a *App) publishTrust(w http.ResponseWriter, r *http.Request) {
	o, ok := orderOf[TrustOrder](w, r, ErrTrust)
	if !ok {
		return
	}
	written, err := a.ledger.Trust(r.Context(), o)
	if err != nil {
		reply(w, nil, err)
		return
	}
	report, err := a.ledger.trustReport(time.Now())
	report.Written = written
	reply(w, report, err)
}
