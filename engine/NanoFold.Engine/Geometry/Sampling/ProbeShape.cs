namespace NanoFold.Engine.Geometry.Sampling;

/// <summary>How many tokens go through the model to be measured, and how many of them are looked at: a pure function of settings, context and text.</summary>
public sealed record ProbeShape
{
    // Tokens of one window are far from independent.
    private const int LeastWindows = 4;

    // Attention rows: all where T is small; never fewer than so many, so that their memory grows with T and no faster.
    private const int PatternElements = 1 << 18;
    private const int LeastQueries = 64;
    private const int LongestRun = 32;

    // Whole windows cost the square of their length, and decompositions its cube.
    private const int WholeTokens = 256;
    private const int LongestWindow = 128;

    /// <summary>T, tokens a window.</summary>
    public required int Time { get; init; }

    /// <summary>B, windows, evenly spaced over the text.</summary>
    public required int Batch { get; init; }

    /// <summary>N, the tokens whose values are looked at.</summary>
    public required int Points { get; init; }

    /// <summary>Those of them whose neighbors are searched, which costs their square; position 0 is not among them.</summary>
    public required int Neighbors { get; init; }

    /// <summary>R, the tokens whose rows of attention patterns are looked at.</summary>
    public required int Queries { get; init; }

    /// <summary>Stretches of successive tokens.</summary>
    public required int Runs { get; init; }

    /// <summary>Tokens of a stretch.</summary>
    public required int RunLength { get; init; }

    /// <summary>Windows of which every token is looked at, or every one at their beginning.</summary>
    public int Windows => Math.Clamp(WholeTokens / WindowLength, 1, Batch);

    /// <summary>Tokens of those.</summary>
    public int WindowLength => Math.Min(Time, LongestWindow);

    /// <summary>Tokens that go through the model.</summary>
    public int Tokens => Batch * Time;

    /// <param name="points">Tokens wanted.</param>
    /// <param name="neighbors">Tokens wanted whose neighbors are searched.</param>
    /// <param name="context">Of the model.</param>
    /// <param name="places">Places that there are to measure; a plan takes them for enough.</param>
    public static ProbeShape Of(int points, int neighbors, int context, long places = long.MaxValue)
    {
        int time = (int)Math.Clamp(places, 1, context);
        long wanted = Math.Max(points / time, Math.Min(LeastWindows, (long)LeastWindows * points / time));
        int batch = (int)Math.Clamp(wanted, 1, Math.Max(1, places / time));
        int tokens = batch * time, run = Math.Min(time, LongestRun);
        points = Math.Min(points, tokens);
        return new ProbeShape
        {
            Time = time,
            Batch = batch,
            Points = points,
            Neighbors = Math.Min(neighbors, points),
            Queries = Math.Min(points, Math.Max(LeastQueries, PatternElements / time)),
            Runs = Math.Max(1, points / run),
            RunLength = run,
        };
    }
}
