namespace NanoFold.Engine.Experiments;

/// <summary>How a set of runs is carried out. Nothing of it changes a result, but for <c>train.minutes</c>, which is of a clock.</summary>
/// <param name="Folder">Of the set: its runs are in <c>runs/NAME</c> of it.</param>
public sealed record RunSetOptions(string Folder)
{
    /// <summary>Runs at the same time; null for what is fastest.</summary>
    public int? Jobs { get; init; }

    /// <summary>Threads of all runs together; jobs × threads of a run are never above it, nor above <see cref="Processors"/>.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>Processors that there are.</summary>
    public int Processors { get; init; } = Environment.ProcessorCount;

    /// <summary>Threads that can be at work at the same time.</summary>
    public int Workers => Math.Max(1, Math.Min(Threads, Processors));

    /// <summary>As <c>--device</c> names it.</summary>
    public string Device { get; init; } = "auto";

    /// <summary>The share of the runs that is carried out here; null for all of them.</summary>
    public Shard? Shard { get; init; }

    /// <summary>The time for all of it; then the runs that go on are saved and stopped. Null for any.</summary>
    public TimeSpan? Time { get; init; }

    /// <summary>The threads of each of so many runs at the same time.</summary>
    public int ThreadsOf(int jobs) => Math.Max(1, Workers / Math.Max(1, jobs));
}

/// <summary>A share of a set of runs, for several machines on one file system.</summary>
/// <param name="Index">From 1.</param>
/// <param name="Count">Of shares.</param>
public readonly record struct Shard(int Index, int Count)
{
    private const int Most = 1 << 16;

    /// <summary>Reads <c>i/n</c>.</summary>
    /// <exception cref="UserException">It is something else.</exception>
    public static Shard Parse(string text)
        => text.Split('/') is [var first, var second] && int.TryParse(first, out int index) && int.TryParse(second, out int count) && index >= 1 && index <= count && count <= Most
            ? new Shard(index, count)
            : throw UserException.Usage($"--shard {text}: expected I/N with I from 1 to N, such as 1/4");

    /// <inheritdoc/>
    public override string ToString() => $"{Index}/{Count}";
}
