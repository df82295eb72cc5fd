package sim

import (
	"slices"
	"strings"

	"orrery/actors"
)

// cover notes how actors react: which messages, to whom, and which tellings follow from
// one that they were given. A run that shows a reaction which no other has shown came
// somewhere new.
type cover struct {
	to    string   // the message that is being reacted to, and its actor
	kinds []string // of what was done because of it
	seen  map[string]uint64
}

// given begins a reaction, and ends the one before.
func (c *cover) given(actor, message string) {
	c.end()
	c.to = actor + "/" + message
}

// did adds something to the reaction.
func (c *cover) did(what string) {
	if c.to != "" && !slices.Contains(c.kinds, what) {
		c.kinds = append(c.kinds, what)
	}
}

func (c *cover) end() {
	if c.to != "" {
		slices.Sort(c.kinds)
		c.seen[c.to+" → "+strings.Join(c.kinds, ", ")]++
	}
	c.to, c.kinds = "", c.kinds[:0]
}

// reactions are all that was seen; nil when nobody looked.
func (c *cover) reactions() map[string]uint64 {
	if c == nil {
		return nil
	}
	c.end()
	return c.seen
}

// told adds to the reaction what an actor told the outside.
func (c *cover) told(name string, event any) {
	if probe, ok := event.(actors.Probe); ok {
		name = string(probe)
	}
	c.did("!" + name)
}
