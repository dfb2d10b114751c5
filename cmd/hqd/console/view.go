package console

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// showBoard gives the lanes, and to whom may meet travellers the exceptions.
func (c *Console) showBoard(w http.ResponseWriter, _ *http.Request, v visit) {
	out := struct {
		Now        time.Time   `json:"now"`
		Lanes      []Lane      `json:"lanes"`
		Exceptions []Exception `json:"exceptions"`
	}{c.o.Now().UTC(), c.lanes(), []Exception{}}
	if v.user.Role.may(toMeet) {
		out.Exceptions = c.board.all()
	}
	reply(w, out)
}

// showFigures gives the figures. Whoever meets no travellers is not told why
// somebody was sent to the second line.
func (c *Console) showFigures(w http.ResponseWriter, _ *http.Request, v visit) {
	f := c.board.report()
	if !v.user.Role.may(toMeet) {
		for _, hidden := range []string{"watchlist", "random_check"} {
			if n := f.Reasons[hidden]; n > 0 {
				f.Reasons["second_line"] += n
				delete(f.Reasons, hidden)
			}
		}
	}
	reply(w, f)
}

// who is the part of a record that names somebody.
type who struct {
	Pass         string `json:"pass_number"`
	PassType     string `json:"pass_type"`
	Account      string `json:"account"`
	Organisation string `json:"organisation"`
}

// Look is what an officer sees of an exception.
type Look struct {
	Exception
	// Known is whether the lane had read a pass and its record opens here.
	Known        bool       `json:"known"`
	Pass         string     `json:"pass,omitempty"`
	PassType     string     `json:"pass_type,omitempty"`
	Account      string     `json:"account,omitempty"`
	Organisation string     `json:"organisation,omitempty"`
	History      []Crossing `json:"history"`
	Incomplete   string     `json:"incomplete,omitempty"` // what could not be had
}

// exception finds the one that a request names.
func (c *Console) exception(w http.ResponseWriter, r *http.Request) (Exception, bool) {
	x, ok := c.board.get(r.PathValue("id"))
	if !ok {
		fail(w, http.StatusNotFound, "this exception is not on the board any more")
	}
	return x, ok
}

// look shows a person, after the log has taken that he is shown.
func (c *Console) look(w http.ResponseWriter, r *http.Request, v visit) {
	x, ok := c.exception(w, r)
	if !ok {
		return
	}
	e := v.entry(DidLook)
	e.On = x.ID
	if err := c.note(r.Context(), e, nil); err != nil {
		c.unwritten(w, err)
		return
	}
	out := Look{Exception: x, History: []Crossing{}}
	p, err := c.person(r.Context(), x)
	switch {
	case err != nil:
		out.Incomplete = "the sealed part of the record does not open here"
	case p != (who{}):
		out.Known, out.Pass, out.PassType, out.Account, out.Organisation = true, p.Pass, p.PassType, p.Account, p.Organisation
		list, err := c.o.Archive.History(r.Context(), p.Account, p.Pass, midnight(c.o.Now()))
		if err != nil {
			out.Incomplete = "today's history cannot be had now"
		}
		out.History = append(out.History, list...)
	}
	reply(w, out)
}

// midnight is when the station's day began, by this machine's zone.
func midnight(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, t.Location())
}

// person opens the record of an exception; nobody where no pass was read.
func (c *Console) person(ctx context.Context, x Exception) (p who, err error) {
	if !x.Person {
		return p, nil
	}
	plain, err := c.o.Archive.Open(ctx, x.person)
	if err == nil {
		err = json.Unmarshal(plain, &p)
	}
	return p, err
}

// Pictures.
const (
	photoLive     = "live"
	photoEnrolled = "enrolled"
	maxPhoto      = 1 << 20
)

// photo gives a picture, after the log has taken that it was asked for.
func (c *Console) photo(w http.ResponseWriter, r *http.Request, v visit) {
	x, ok := c.exception(w, r)
	if !ok {
		return
	}
	which := r.PathValue("which")
	if which != photoLive && which != photoEnrolled {
		fail(w, http.StatusNotFound, "no such picture")
		return
	}
	e := v.entry(DidPhoto)
	e.On, e.What = x.ID, which
	if err := c.note(r.Context(), e, nil); err != nil {
		c.unwritten(w, err)
		return
	}
	jpeg, missing := c.picture(r.Context(), x, which)
	if !bytes.HasPrefix(jpeg, []byte{0xff, 0xd8, 0xff}) || len(jpeg) > maxPhoto {
		reply(w, map[string]string{"missing": missing}) // nothing went wrong
		return
	}
	w.Header().Set("Content-Type", "image/jpeg")
	_, _ = w.Write(jpeg) // the reader is gone; nothing to do
}

// picture finds one, or says why there is none.
func (c *Console) picture(ctx context.Context, x Exception, which string) (jpeg []byte, missing string) {
	if which == photoLive {
		if !x.Photo {
			return nil, "the lane has sent no picture of this moment"
		}
		jpeg, err := c.o.Archive.Open(ctx, x.photo)
		if err != nil {
			return nil, "the picture was deleted, or does not open here"
		}
		return jpeg, "the picture is damaged"
	}
	p, err := c.person(ctx, x)
	if err != nil || p.Account == "" {
		return nil, "no account was read, so no photograph belongs to it"
	}
	jpeg, err = c.o.Archive.Portrait(ctx, p.Account)
	if err != nil {
		return nil, "the photograph cannot be had now"
	}
	return jpeg, "no photograph is kept for this account; compare with the pass itself"
}

// shownEntries is how much of the log one answer holds.
const shownEntries = 100

// readLog shows the log, which takes that it was read.
func (c *Console) readLog(w http.ResponseWriter, r *http.Request, v visit) {
	before := uint64(0)
	if text := r.URL.Query().Get("before"); text != "" {
		var err error
		if before, err = strconv.ParseUint(text, 10, 64); err != nil {
			fail(w, http.StatusBadRequest, "before is the number of an entry")
			return
		}
	}
	if err := c.note(r.Context(), v.entry(DidRead), nil); err != nil {
		c.unwritten(w, err)
		return
	}
	list, err := c.log.Tail(r.Context(), before, shownEntries)
	if err != nil {
		fail(w, http.StatusServiceUnavailable, "the log cannot be read now")
		return
	}
	for i := range list {
		list[i].Session = ""
		if list[i].User != nil {
			list[i].What = string(list[i].User.Role)
			list[i].User = nil // its hash is nobody's business
		}
	}
	reply(w, list)
}
