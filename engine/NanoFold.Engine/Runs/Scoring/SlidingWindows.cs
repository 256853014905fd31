namespace NanoFold.Engine.Runs.Scoring;

/// <summary>
/// Windows over a text longer than a context: each token is asked about once, with as much before it as the stride leaves. The first window asks about all its tokens, every later one
/// about the last ones that are new. A window is always as full as it can be, the last one too.
/// </summary>
public static class SlidingWindows
{
    /// <summary>The windows over the targets 0 … n − 1, of which target i follows place i of the text.</summary>
    /// <param name="targets">n.</param>
    /// <param name="context">Places of a window at most.</param>
    /// <param name="stride">New targets of each window but the first, 1 … <paramref name="context"/>: with the whole context, windows overlap in what is read by the last one only.</param>
    public static IEnumerable<SlidingWindow> Over(long targets, int context, int stride)
    {
        for (long done = 0; done < targets;)
        {
            int count = (int)Math.Min(done == 0 ? context : stride, targets - done);
            long end = done + count, start = Math.Max(0, end - context);
            yield return new SlidingWindow(done, count, start, (int)(end - start));
            done = end;
        }
    }
}

/// <summary>A window.</summary>
/// <param name="First">The first target that it is asked about.</param>
/// <param name="Count">How many.</param>
/// <param name="Start">The first place that is read.</param>
/// <param name="Length">How many are read: the last is that before the last target.</param>
public readonly record struct SlidingWindow(long First, int Count, long Start, int Length)
{
    /// <summary>The row of a window: its tokens, and targets where it is asked.</summary>
    /// <param name="id">Of the row.</param>
    /// <param name="text">Its places and the target after the last one, [Length + 1].</param>
    internal ScoredRow Row(long id, ReadOnlySpan<int> text)
    {
        var targets = new int[Length];
        targets.AsSpan(0, Length - Count).Fill(-1);
        text[(Length - Count + 1)..].CopyTo(targets.AsSpan(Length - Count));
        return new ScoredRow(id, text[..Length].ToArray(), targets);
    }
}
