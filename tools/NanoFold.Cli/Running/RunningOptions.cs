using System.CommandLine;
using System.Globalization;
using NanoFold.Engine;
using NanoFold.Engine.Experiments;
using NanoFold.Engine.Training;

namespace NanoFold.Cli.Running;

/// <summary>The options that say how a set of runs is carried out, and with which seeds.</summary>
internal sealed class RunningOptions
{
    private const int MostSeeds = 1000;

    private readonly Option<string?> _seeds, _shard;
    private readonly Option<long?> _jobs;
    private readonly Option<double?> _minutes;

    public RunningOptions(VerbCommand command)
    {
        _seeds = command.Text("--seeds", "N|N,N,…", "Seeds of every variant or size: so many from 1, or these [default: 1]");
        _jobs = command.Integer("--jobs", "Runs at the same time, each a process with its share of the threads; what is fastest if not given", 1, 1024);
        _shard = command.Text("--shard", "I/N", "Carry out share I of N, for several machines on one file system or an array of jobs");
        _minutes = command.Number("--minutes", "M", "Stop after so many minutes; the same command goes on (the time of each run is train.minutes)", typeof(TrainConfig), nameof(TrainConfig.Minutes));
    }

    /// <summary>How the runs are carried out.</summary>
    /// <param name="invocation">What was given.</param>
    /// <param name="folder">Of the set; any where options are only checked.</param>
    /// <exception cref="UserException">The shard is none.</exception>
    public RunSetOptions Of(Invocation invocation, string folder) => new(folder)
    {
        Jobs = (int?)invocation.Get(_jobs),
        Threads = invocation.Threads,
        Device = invocation.Device,
        Shard = invocation.Get(_shard) is { } shard ? Shard.Parse(shard) : null,
        Time = invocation.Get(_minutes) is > 0 and double minutes ? TimeSpan.FromMinutes(minutes) : null,
    };

    /// <summary>Throws where a share of runs is carried out in a folder of its own: the others would not be found.</summary>
    /// <param name="invocation">What was given.</param>
    /// <param name="folder">Named by <c>--out</c>, or null.</param>
    /// <exception cref="UserException">It is.</exception>
    public void RequireFolder(Invocation invocation, string? folder)
    {
        if (invocation.Get(_shard) is { } shard && folder is null)
        {
            throw UserException.Usage($"--shard {shard}: all shares go into one folder; name it with --out");
        }
    }

    /// <summary>Which of them were given, by name.</summary>
    public IEnumerable<(string Name, bool IsGiven)> Given(Invocation invocation) =>
    [
        (_seeds.Name, invocation.Get(_seeds) is not null), (_jobs.Name, invocation.Get(_jobs) is not null), (_shard.Name, invocation.Get(_shard) is not null), (_minutes.Name, invocation.Get(_minutes) is not null),
    ];

    /// <summary>The seeds of <c>--seeds</c> or <c>--seed</c>; null where neither was given.</summary>
    /// <exception cref="UserException">They are none.</exception>
    public long[]? Seeds(Invocation invocation)
    {
        if (invocation.Get(_seeds) is not { } text)
        {
            return invocation.Seed is { } seed ? [seed] : null;
        }

        if (invocation.Seed is { } other)
        {
            throw UserException.Usage($"{CommonOptions.Seed} {other}: --seeds {text} names the seeds; leave one of them out");
        }

        long[] seeds = [.. text.Split(',').Select(part => long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            ? number
            : throw UserException.Usage($"--seeds: expected a number of seeds, or seeds separated by commas, got '{text}'"))];
        return seeds switch
        {
            [>= 1 and <= MostSeeds and var count] => [.. Enumerable.Range(1, (int)count).Select(i => (long)i)],
            [var count] => throw UserException.Usage($"--seeds {count}: expected from 1 to {MostSeeds} seeds, or seeds separated by commas"),
            _ => seeds,
        };
    }
}
