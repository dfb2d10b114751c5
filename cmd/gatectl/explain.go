package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"bordergate/gate"
	"bordergate/gate/reason"
	"bordergate/hal"
	"bordergate/sync/journal"
	"bordergate/sync/vault"
)

// story is how a transaction went, put together from its records.
type story struct {
	Tx        string        `json:"tx"`
	Wall      string        `json:"wall"`
	Clock     string        `json:"clock"`
	Simulated bool          `json:"simulated"`
	Outcome   string        `json:"outcome"`
	Reasons   []because     `json:"reasons"`
	Detail    string        `json:"detail,omitempty"`
	Notices   []gate.Notice `json:"notices,omitempty"`
	Direction string        `json:"direction,omitempty"`
	Mode      string        `json:"mode"`
	Policy    uint64        `json:"policy"` // version; 0: the gate's own rules alone
	Granted   bool          `json:"granted"`
	Revoked   bool          `json:"revoked"`
	Face      *faceStory    `json:"face,omitempty"`
	Liveness  string        `json:"liveness,omitempty"`
	Steps     []stepTime    `json:"steps"`
	Records   []recordName  `json:"records"`
	// Personal are the sealed parts, only with --open.
	Personal []json.RawMessage `json:"personal,omitempty"`
}

type because struct {
	Reason string `json:"reason"`
	Effect string `json:"effect"`
	What   string `json:"what"`
}

type faceStory struct {
	Score     float64         `json:"score"`
	Threshold float64         `json:"threshold"`
	Reached   bool            `json:"reached"`
	Frames    int             `json:"frames"`
	Model     string          `json:"model"`
	Reference string          `json:"reference"` // cache or pass
	Seen      *gate.FaceCount `json:"seen,omitempty"`
	Restarts  int             `json:"restarts"`
}

type stepTime struct {
	Step  string  `json:"step"`
	MS    float64 `json:"ms"`       // since presence
	After float64 `json:"after_ms"` // since the step before
}

type recordName struct {
	Stream string `json:"stream"`
	Seq    uint64 `json:"seq"`
	Kind   string `json:"kind"`
}

const hiddenReason = "hidden"

func runExplain(ctx context.Context, e env, args []string) int {
	const words = "explain"
	f := newStateFlags(e, words)
	open := f.fs.Bool("open", false, "tell personal parts and hidden reasons too, as far as their keys still exist")
	rest, status, ok := parseFlags(f.fs, args)
	if !ok {
		return status
	}
	if len(rest) != 1 {
		return unable(e, words, errors.New("name one transaction, or the first digits of its id, or last: gatectl explain TRANSACTION --config FILE [--open] [--json]"))
	}
	id := rest[0]
	if id == "last" {
		id = ""
	} else if len(id) > 32 || strings.Trim(strings.ToLower(id), "0123456789abcdef") != "" {
		return unable(e, words, fmt.Errorf("%.40q is no transaction: up to 32 hex digits, as the status page and the journal show them, or last", id))
	}
	lines, err := transactionLines(ctx, &f, id, *open)
	if errors.Is(err, journal.ErrNoTransaction) || errors.Is(err, errNotFound) {
		fmt.Fprintf(e.Err, "gatectl %s: %v (retention may have given it up; headquarters may have it)\n", words, err)
		return exitNegative
	}
	if err != nil {
		return unable(e, words, err)
	}
	s, err := tell(lines, *open)
	if err == nil && *f.json {
		err = lineEncoder(e).Encode(s)
	} else if err == nil {
		_, err = fmt.Fprint(e.Out, s.text())
	}
	if err != nil {
		return unable(e, words, err)
	}
	return exitDone
}

// transactionLines asks the running gated, else the journal's file.
func transactionLines(ctx context.Context, f *stateFlags, id string, personal bool) (lines []journal.Line, err error) {
	s, err := f.find(ctx, journalFile)
	if err != nil {
		return nil, err
	}
	if s.control != nil {
		path := "/v1/transactions/" + url.PathEscape(cmp.Or(id, "last"))
		if personal {
			path += "?open=true"
		}
		doc, err := s.control.get(ctx, path)
		if err == nil {
			err = json.Unmarshal(doc, &lines)
		}
		return lines, err
	}
	var open journal.OpenFunc
	if personal {
		id, err := s.identity()
		if err != nil {
			return nil, err
		}
		v, err := vault.Open(filepath.Join(s.cfg.Paths.State, keysDir), id.Master)
		if err != nil {
			return nil, err
		}
		open = v.Open
	}
	r, err := journal.OpenReadOnly(s.path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raws, err := r.Transaction(ctx, id)
	for _, raw := range raws {
		l, err := journal.NewLine(raw, open)
		if err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	return lines, err
}

// tell puts the records of a transaction together: what was decided, and what
// came of it.
func tell(lines []journal.Line, open bool) (story, error) {
	s := story{Reasons: []because{}, Steps: []stepTime{}}
	steps := map[string]int64{}
	var reasons []reason.Reason
	for _, l := range lines {
		s.Tx, s.Simulated = l.Tx, l.Simulated
		s.Records = append(s.Records, recordName{l.Stream, l.Seq, l.Kind})
		if s.Wall == "" {
			s.Wall, s.Clock = l.Wall.Format("2006-01-02T15:04:05Z07:00"), hal.Trust(l.Trust).String()
		}
		if open && len(l.Personal) > 0 {
			s.Personal = append(s.Personal, l.Personal)
		}
		if l.Kind != gate.EntryDecision && l.Kind != gate.EntryOutcome && l.Kind != gate.EntryAlarm {
			continue
		}
		var p gate.Public
		if err := json.Unmarshal(l.Public, &p); err != nil {
			return s, fmt.Errorf("read record %s %d: %w", l.Stream, l.Seq, err)
		}
		for _, r := range p.Reasons {
			reasons = reason.Add(reasons, r)
		}
		maps.Copy(steps, p.Steps)
		s.take(p, l.Kind)
	}
	for _, r := range reasons {
		s.Reasons = append(s.Reasons, explainReason(r, open))
	}
	s.order(steps)
	return s, nil
}

// take fills in what a record adds; an outcome has the last word.
func (s *story) take(p gate.Public, kind string) {
	if p.Outcome != 0 && kind != gate.EntryAlarm {
		s.Outcome = p.Outcome.String()
	}
	s.Detail, s.Direction, s.Mode = cmp.Or(p.Detail, s.Detail), cmp.Or(p.Direction, s.Direction), cmp.Or(p.Mode, s.Mode)
	s.Policy, s.Liveness = cmp.Or(p.Policy, s.Policy), cmp.Or(p.Liveness, s.Liveness)
	s.Granted, s.Revoked = s.Granted || p.Granted, s.Revoked || p.Revoked
	if len(p.Notices) > 0 {
		s.Notices = p.Notices
	}
	if p.Faces != nil || p.Threshold > 0 {
		s.Face = &faceStory{p.Score, p.Threshold, p.Threshold > 0 && p.Score >= p.Threshold, p.Frames, p.Model, p.Reference, p.Faces, p.Restarts}
	}
}

// explainReason keeps to itself what must look like any other referral.
func explainReason(r reason.Reason, open bool) because {
	if r.Hidden() && !open {
		return because{hiddenReason, "refer", "a reason that the officer's console shows, and --open"}
	}
	effect := map[reason.Effect]string{reason.Mark: "mark", reason.Refer: "refer", reason.Refuse: "refuse"}[r.Effect()]
	return because{r.String(), effect, r.Words()}
}

// order sorts the steps by their time.
func (s *story) order(steps map[string]int64) {
	for name, us := range steps {
		s.Steps = append(s.Steps, stepTime{Step: name, MS: float64(us) / 1000})
	}
	slices.SortFunc(s.Steps, func(a, b stepTime) int { return cmp.Or(cmp.Compare(a.MS, b.MS), cmp.Compare(a.Step, b.Step)) })
	for i := range s.Steps {
		if i > 0 {
			s.Steps[i].After = s.Steps[i].MS - s.Steps[i-1].MS
		}
	}
}

func (s story) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %s (clock %s): %s\n", s.Tx, s.Wall, s.Clock, s.Outcome)
	if s.Simulated {
		b.WriteString("  simulated\n")
	}
	policy := "the gate's own rules alone"
	if s.Policy > 0 {
		policy = fmt.Sprintf("headquarters' policy %d", s.Policy)
	}
	fmt.Fprintf(&b, "  decided in mode %s by %s\n", cmp.Or(s.Mode, "normal"), policy)
	for _, r := range s.Reasons {
		fmt.Fprintf(&b, "  because %s (%s): %s\n", r.Reason, r.Effect, r.What)
	}
	if s.Detail != "" {
		fmt.Fprintf(&b, "  of the pass's seal: %s\n", s.Detail)
	}
	if f := s.Face; f != nil {
		if f.Threshold > 0 {
			fmt.Fprintf(&b, "  face: score %.3f, threshold %.3f, over %d frames; compared with the reference of the %s\n", f.Score, f.Threshold, f.Frames, cmp.Or(f.Reference, "cache"))
		}
		if c := f.Seen; c != nil {
			fmt.Fprintf(&b, "  frames: %d, without a face %d, with several %d, too poor %d, usable %d\n", c.Frames, c.None, c.Many, c.Poor, c.Usable)
		}
	}
	if s.Liveness != "" {
		fmt.Fprintf(&b, "  liveness: %s\n", s.Liveness)
	}
	if s.Granted {
		b.WriteString("  the turnstile was told to let one person through\n")
	}
	if s.Revoked {
		b.WriteString("  the grant was taken back\n")
	}
	for _, t := range s.Steps {
		fmt.Fprintf(&b, "  %9.3f s  %-22s +%.3f s\n", t.MS/1000, t.Step, t.After/1000)
	}
	for _, p := range s.Personal {
		fmt.Fprintf(&b, "  personal: %s\n", p)
	}
	return b.String()
}
