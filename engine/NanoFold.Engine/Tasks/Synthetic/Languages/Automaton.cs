namespace NanoFold.Engine.Tasks;

/// <summary>A random automaton whose strings begin in state 0 and end anywhere; edges of a state have different symbols and lead to different other states.</summary>
/// <param name="counts">For the number of edges of each state; as many as there may be states.</param>
/// <param name="symbols">For the symbols of edges, <paramref name="most"/> a state.</param>
/// <param name="states">For where edges lead, likewise.</param>
/// <param name="most">Edges of a state at most.</param>
internal readonly ref struct Automaton(Span<int> counts, Span<int> symbols, Span<int> states, int most)
{
    private readonly Span<int> _counts = counts;
    private readonly Span<int> _symbols = symbols;
    private readonly Span<int> _states = states;

    /// <summary>Draws one.</summary>
    /// <param name="leastStates">It has as many, or more up to what there is room for.</param>
    /// <param name="alphabet">Symbols to draw from.</param>
    /// <param name="draws">Random numbers.</param>
    public void Draw(int leastStates, int alphabet, ref RowDraws draws)
    {
        int count = leastStates + draws.Below(_counts.Length - leastStates + 1);
        // A language has symbols of its own, no fewer than a state may have edges.
        Span<int> own = stackalloc int[alphabet];
        int ownCount = most + draws.Below(alphabet - most + 1);
        draws.Distinct(own, ownCount, from: 0, alphabet);
        for (int state = 0; state < count; state++)
        {
            int edges = _counts[state] = 1 + draws.Below(Math.Min(most, count - 1));
            Span<int> drawn = _symbols.Slice(state * most, edges), others = _states.Slice(state * most, edges);
            draws.Distinct(drawn, edges, from: 0, ownCount);
            draws.Distinct(others, edges, from: 0, count - 1);
            for (int i = 0; i < edges; i++)
            {
                drawn[i] = own[drawn[i]];
                others[i] += others[i] >= state ? 1 : 0;
            }
        }
    }

    /// <summary>The symbols that may follow in a state, a bit each.</summary>
    public int Symbols(int state)
    {
        int bits = 0;
        foreach (int symbol in _symbols.Slice(state * most, _counts[state]))
        {
            bits |= 1 << symbol;
        }

        return bits;
    }

    /// <summary>Goes along one of a state's edges, each as likely as any other.</summary>
    /// <param name="state">Where it is, and then where the edge leads.</param>
    /// <param name="draws">Random numbers.</param>
    /// <returns>The edge's symbol.</returns>
    public int Step(ref int state, ref RowDraws draws)
    {
        int edge = (state * most) + draws.Below(_counts[state]);
        state = _states[edge];
        return _symbols[edge];
    }
}
