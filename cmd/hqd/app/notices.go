package app

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

	"bordergate/sync/wire"
)

// noticeWithin is how soon after it took effect a suspension or restoration
// must be notified (domain rule 2).
const noticeWithin = 2 * time.Hour

// effective is when a decision took effect by a gate's word, Unix ns, within
// what headquarters knows itself: not before the decision was made, nor after
// the word came. A gate's wrong clock moves no deadline.
func effective(told, made, heard int64) int64 { return min(max(told, made), max(heard, made)) }

// Notice is a legal notice that was sent.
type Notice struct {
	To string    `json:"to"`
	As string    `json:"as"` // person or organisation
	At time.Time `json:"at"`
}

// noticed puts into the report which notices are due on the decision, until
// when, which were sent and which are missing. It is called with mu held.
func (s *eventStore) noticed(r *AppliedReport, d decision, openTo func([]byte) string, now time.Time) {
	for _, n := range s.notices[d.ID] {
		r.Notices = append(r.Notices, Notice{To: openTo(n.To), As: n.as(d), At: time.Unix(0, n.At).UTC()})
	}
	slices.SortFunc(r.Notices, func(a, b Notice) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
	if len(d.due) == 0 {
		return
	}
	from := r.Effective
	if from.IsZero() {
		from = r.At // no gate has said so; it cannot be later than that by right
	}
	r.NoticeDue = from.Add(noticeWithin)
	for _, as := range d.due {
		if !slices.ContainsFunc(r.Notices, func(n Notice) bool { return n.As == as }) {
			r.NoticeMissing = append(r.NoticeMissing, as)
		}
	}
	r.NoticeOverdue = len(r.NoticeMissing) > 0 && now.After(r.NoticeDue)
}

// as is to whom the notice was sent; to the first to whom one is due where the
// sender did not say.
func (e event) as(d decision) string {
	if e.As == "" && len(d.due) > 0 {
		return d.due[0]
	}
	return e.As
}

// noticeRequest says that a notice on a decision was sent.
type noticeRequest struct {
	Decision string `json:"decision"`
	To       string `json:"to"`
	As       string `json:"as,omitempty"`
}

func (n noticeRequest) check() error {
	switch {
	case n.To == "":
		return fmt.Errorf("%w: nobody named as addressee", wire.ErrDecision)
	case n.As != "" && n.As != toPerson && n.As != toOrganisation:
		return fmt.Errorf("%w: addressee as %.20q, want %s or %s", wire.ErrDecision, n.As, toPerson, toOrganisation)
	}
	return nil
}

func (a *App) notice(w http.ResponseWriter, r *http.Request) {
	b, ok := body(w, r)
	if !ok {
		return
	}
	var n noticeRequest
	err := strictJSON(b, &n)
	if err == nil {
		err = n.check()
	}
	var d decision
	if err == nil {
		d, err = a.ledger.Decision(n.Decision)
	}
	var sealed []byte
	if err == nil {
		sealed, err = a.sealTo(n.To)
	}
	if err == nil {
		err = a.events.Notice(r.Context(), n.Decision, n.As, sealed)
	}
	if err != nil {
		reply(w, nil, err)
		return
	}
	reply(w, a.events.report(d, a.fleet.inService(), a.openTo, time.Now()), nil)
}

// NoticesDue lists the decisions on which a notice is still missing, the
// soonest due first.
type NoticesDue struct {
	Missing int             `json:"missing"` // decisions on which one is
	Overdue int             `json:"overdue"` // of them
	List    []AppliedReport `json:"decisions"`
}

func (a *App) notices(w http.ResponseWriter, _ *http.Request) {
	out := NoticesDue{List: []AppliedReport{}}
	now := time.Now()
	for _, d := range a.ledger.upTo(a.ledger.Head().Seq) {
		if len(d.due) == 0 {
			continue
		}
		r := a.events.report(d, a.fleet.inService(), a.openTo, now)
		if len(r.NoticeMissing) == 0 {
			continue
		}
		out.Missing++
		if r.NoticeOverdue {
			out.Overdue++
		}
		out.List = append(out.List, r)
	}
	slices.SortFunc(out.List, func(a, b AppliedReport) int { return a.NoticeDue.Compare(b.NoticeDue) })
	reply(w, out, nil)
}

// sealTo and openTo keep a notice's addressee out of the store in clear.
func (a *App) sealTo(to string) ([]byte, error) {
	return wire.SealTo(a.id.seal.PublicKey(), "notice", []byte(to))
}

func (a *App) openTo(sealed []byte) string {
	b, err := wire.OpenFrom(a.id.seal, "notice", sealed)
	if err != nil {
		return ""
	}
	return string(b)
}
