// Package screen is what the traveller sees: a page for a kiosk browser on the
// gate machine, told by the lane's views and deciding nothing.
//
// What it guarantees:
//
//   - One step at a time, each with a picture that works without reading, at
//     most one hint, and words in the five languages of the border. Every state,
//     hint, reason and notice has them; tests walk the lists.
//   - Whoever is not let through sees the same neutral step: the officer, with
//     an arrow. A reason that must stay hidden leads to exactly the words that
//     reasons of ordinary kinds lead to, and the verdict shows nowhere before the
//     gate is open.
//   - A message names nobody, holds no number and no score. What one traveller
//     left, his words, his language, his picture, is gone from server and page
//     when the lane is ready again.
//   - Green is never shown without a live connection: the page beats, and a page
//     that has not heard for some seconds shows the officer instead.
//   - The mirror's pictures come from memory, the newest alone, only while a
//     step shows them and somebody looks; none is ever written anywhere.
//   - The listener is on loopback, answers only to loopback names and only to
//     who knows the token of this boot; nothing can be changed but the language,
//     from the page itself. The page loads nothing from outside.
//   - Show and Picture never block. A page that does not keep up skips to the
//     newest message; one that takes nothing at all loses its connection.
package screen
