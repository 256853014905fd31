namespace NanoFold.Kernels.Calls.Attention;

/// <summary>
/// Whether a query at position t sees the key at position j, in numbers only, so that the same text runs on the CPU and in kernels of a GPU:
/// (j ≤ t or j &lt; <see cref="Prefix"/>) and (|t − j| &lt; <see cref="Window"/> or j &lt; <see cref="Sinks"/>). Documents and block tables, which are
/// data, come on top (see <see cref="Visible"/>). The bounds below are the same sentence solved for the key and for the query.
/// </summary>
public readonly struct VisibleRule
{
    /// <summary>Further than any two positions are apart: a prefix or a window of all keys.</summary>
    public const int Far = 1 << 29;

    /// <summary>Keys before this one are seen by queries before them too: 0 for causal attention, <see cref="Far"/> for full.</summary>
    public readonly int Prefix;

    /// <summary>Distance from which on keys are hidden; <see cref="Far"/> for none.</summary>
    public readonly int Window;

    /// <summary>First keys that stay visible outside of the window.</summary>
    public readonly int Sinks;

    /// <param name="prefix">Cut to what positions can be.</param>
    /// <param name="window">0 for none.</param>
    /// <param name="sinks">Of no account without a window.</param>
    public VisibleRule(int prefix, int window, int sinks)
    {
        Prefix = Larger(Smaller(prefix, Far), 0);
        Window = window == 0 ? Far : Smaller(window, Far);
        Sinks = Window == Far ? 0 : sinks;
    }

    private VisibleRule(int prefix, int window)
    {
        Prefix = prefix;
        Window = window;

        // Positions counted from elsewhere may be negative, and none of them is a sink.
        Sinks = -Far;
    }

    /// <summary>The rule.</summary>
    public bool Sees(int t, int j) => (j <= t || j < Prefix) && ((t - j < Window && j - t < Window) || j < Sinks);

    /// <summary>Keys before this one are sinks that a query at <paramref name="t"/> sees. Never falls as t grows.</summary>
    public int SinkEnd(int t) => Smaller(Sinks, Larger(t + 1, Prefix));

    /// <summary>First key within the window; may be negative. Of the keys after the sinks it sees those in [Start, End). Never falls as t grows.</summary>
    public int Start(int t) => t - Window + 1;

    /// <summary>One after the last key within the window that is in order; may be more than there are. Never falls as t grows.</summary>
    public int End(int t) => Smaller(Larger(t + 1, Prefix), t + Window);

    /// <summary>First query that sees the key at <paramref name="j"/>; may be negative. The key is seen by [QueryStart, QueryEnd). Never falls as j grows.</summary>
    public int QueryStart(int j) => j >= Prefix ? j : j < Sinks ? -Far : j - Window + 1;

    /// <summary>One after the last query that sees the key at <paramref name="j"/>; may be more than there are.</summary>
    public int QueryEnd(int j) => j < Sinks ? Far : j + Window;

    /// <summary>The rule of a row whose prefix is data.</summary>
    public VisibleRule WithPrefix(int prefix) => new(prefix, Window == Far ? 0 : Window, Sinks);

    /// <summary>What is left of the rule where all keys are sinks, or none is, counted from another position.</summary>
    /// <param name="origin">Position that becomes 0.</param>
    /// <param name="areSinks">Whether the window does not matter.</param>
    public VisibleRule Block(int origin, bool areSinks) => new(Prefix == Far ? Far : Prefix - origin, areSinks ? Far : Window);

    // Not Math's: a GPU's compiler takes these as they are.
    private static int Smaller(int a, int b) => a < b ? a : b;

    private static int Larger(int a, int b) => a > b ? a : b;
}
