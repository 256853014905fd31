using System.CommandLine;
using System.Globalization;
using NanoFold.Cli.Running;
using NanoFold.Engine;
using NanoFold.Engine.Experiments;
using NanoFold.Engine.Experiments.Coordinates;
using NanoFold.Engine.Experiments.Scaling;
using NanoFold.Engine.Runs;

namespace NanoFold.Cli.Commands.Scaling;

/// <summary>The options of <c>scaling</c>, and the grid that they make.</summary>
internal sealed class ScalingOptions
{
    // Shares of the recipe's width, and numbers of tokens, that are trained where none are given.
    private static readonly double[] s_shares = [0.25, 0.5, 0.75, 1];
    private static readonly long[] s_tokens = [100_000, 200_000, 400_000, 800_000];

    private const int WidthStep = 8;
    private const string SeedKey = "train.seed";

    private static readonly string[] s_limits = ["train.steps", "train.tokens", "train.flops", "train.minutes"];

    private readonly VerbCommand _command;
    private readonly Option<string?> _sizes, _tokens, _out;
    private readonly Option<long?> _checkSteps;
    private readonly Option<bool> _dryRun, _collect, _check;
    private readonly RunningOptions _running;
    private readonly TrainOptions _train;

    public ScalingOptions(VerbCommand command)
    {
        _command = command;
        _sizes = command.Text("--sizes", "W,W,…", "Sizes: widths, whose layers and hidden keep the preset's ratio to the width and whose heads keep their own; WxL for a width and layers; or presets [default: ¼, ½, ¾ and all of the preset's width]");
        _tokens = command.Text("--tokens", "N,N,…", $"Tokens that each size is trained on, a run each [default: {string.Join(',', s_tokens)}]");
        _dryRun = command.Flag("--dry-run", "Say which runs there are, with tokens, memory and time, and stop");
        _collect = command.Flag("--collect", "Train nothing: fit what is there in --out");
        _running = new RunningOptions(command);
        _check = command.Flag("--coordinate-check", $"In place of the grid: how activations change in the first steps at the widths of --sizes, with and without µP; writes {CoordinateCheck.FileName} into --out");
        _checkSteps = command.Integer("--check-steps", "Steps of the coordinate check [default: 5]", 1, 1000);
        _out = command.Text("--out", "DIR", "The folder of the grid; the same command goes on in it");
        _train = new TrainOptions(command, "--resume", "--init", "--steps");
    }

    public bool IsDryRun(Invocation invocation) => invocation.Get(_dryRun);

    public bool IsCheck(Invocation invocation) => invocation.Get(_check);

    /// <summary>The folder whose runs are to be fitted as they are; null where runs are to be carried out.</summary>
    public string? Collected(Invocation invocation) => !invocation.Get(_collect)
        ? null
        : Out(invocation) ?? throw UserException.Usage("--collect fits the runs in a folder; name it with --out");

    /// <summary>The folder asked for, or null.</summary>
    public string? Out(Invocation invocation) => invocation.Get(_out);

    /// <summary>How the runs are carried out.</summary>
    public RunSetOptions Running(Invocation invocation, string folder) => _running.Of(invocation, folder);

    /// <inheritdoc cref="RunningOptions.RequireFolder"/>
    public void RequireFolder(Invocation invocation) => _running.RequireFolder(invocation, Out(invocation));

    /// <summary>The recipe in all its sizes.</summary>
    /// <exception cref="UserException">It has problems.</exception>
    public ModelFamily Family(Invocation invocation)
    {
        // With --seed one of them is its own.
        string[] keys = [.. _train.Settings(invocation).Select(setting => setting.Split('=')[0].Trim())];
        RequireOpen(keys.FirstOrDefault(s_limits.Contains), keys.Count(key => key == SeedKey) > (invocation.Seed is null ? 0 : 1));
        // A file that is wrong in itself is said first.
        var family = new ModelFamily(more => _train.Config(invocation, more));
        string[] ofFile = [.. _train.KeysOfFile(invocation)];
        RequireOpen(ofFile.FirstOrDefault(s_limits.Contains), ofFile.Contains(SeedKey));
        return family;
    }

    private static void RequireOpen(string? limit, bool hasSeed)
    {
        if (hasSeed)
        {
            throw UserException.Usage($"{SeedKey}: which seeds runs have is for --seeds to say; leave it out");
        }

        if (limit is not null)
        {
            throw UserException.Usage($"{limit}: how long runs are is for --tokens to say; leave it out");
        }
    }

    /// <summary>Throws where options were given of which one takes no notice of the other.</summary>
    /// <exception cref="UserException">They were.</exception>
    public void Require(Invocation invocation)
    {
        string[] grid = [_tokens.Name, _dryRun.Name, .. _running.Given(invocation).Select(option => option.Name)], given = [.. invocation.Given(_command)];
        string[] ignored = invocation.Get(_collect) ? [.. given.Except([_collect.Name, _out.Name])] : IsCheck(invocation) ? [.. given.Intersect(grid)] : [];
        if (ignored.Length > 0)
        {
            throw UserException.Usage($"{string.Join(", ", ignored)}: no effect with {(invocation.Get(_collect) ? _collect.Name : _check.Name)}; leave it out");
        }

        if (invocation.Get(_checkSteps) is not null && !IsCheck(invocation))
        {
            throw UserException.Usage("--check-steps: has no effect without --coordinate-check; leave it out");
        }

        if (invocation.Seed is not null && _running.Given(invocation).Any(option => option is { Name: "--seeds", IsGiven: true }))
        {
            throw UserException.Usage("--seed and --seeds: both say which seeds runs have; give one of them");
        }
    }

    /// <summary>The grid.</summary>
    /// <exception cref="UserException">It has problems.</exception>
    public ScalingGrid Grid(Invocation invocation, ModelFamily family)
    {
        long[] tokens = invocation.Get(_tokens) is { } text ? [.. text.Split(',').Select(Tokens)] : s_tokens;
        return ScalingGrid.Of(family, Sizes(invocation, family), tokens, _running.Seeds(invocation) ?? [1]);
    }

    /// <summary>What a coordinate check is made of.</summary>
    public CoordinateOptions Check(Invocation invocation, ModelFamily family)
    {
        int[] widths = [.. Sizes(invocation, family).Select(size => size.Width).Distinct().Order()];
        return widths.Length < 2
            ? throw UserException.Usage("--coordinate-check: one width shows no growth; give two or more with --sizes")
            : new CoordinateOptions { Widths = widths, Steps = (int)(invocation.Get(_checkSteps) ?? 5) };
    }

    private IReadOnlyList<ModelSize> Sizes(Invocation invocation, ModelFamily family) => invocation.Get(_sizes) is { } text
        ? [.. text.Split(',').Select(size => family.Parse(size.Trim()))]
        : [.. s_shares.Select(share => Math.Max(WidthStep, (int)Math.Round(share * family.Recipe.Model.Width / WidthStep) * WidthStep)).Distinct().Select(family.OfWidth)];

    private static long Tokens(string text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double count) && count is >= 1 and <= 1e15
        ? (long)count
        : throw UserException.Usage($"--tokens: expected numbers of at least 1 separated by commas, such as 200000,1e6, got '{text}'");
}
