package app

import (
	"errors"
	"net/http"

	"bordergate/sync/journal"
)

// transaction gives a transaction's records, personal parts only when asked for
// as the export gives them.
func (c *control) transaction(w http.ResponseWriter, r *http.Request) {
	j := c.app.journal
	id := r.PathValue("id")
	if id == "last" {
		id = ""
	}
	raws, err := j.Transaction(r.Context(), id)
	if errors.Is(err, journal.ErrNoTransaction) {
		refuse(w, http.StatusNotFound, err.Error())
		return
	}
	var open journal.OpenFunc
	if r.URL.Query().Get("open") == "true" {
		open = c.app.vault.Open
	}
	lines := make([]journal.Line, len(raws))
	for i := 0; i < len(raws) && err == nil; i++ {
		lines[i], err = journal.NewLine(raws[i], open)
	}
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	writeJSON(w, lines)
}
