using System.CommandLine;
using NanoFold.Engine;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Cli.Options;

/// <summary>The option that says what a model that is used is computed in (<see cref="Backend.RoundsOperands"/>).</summary>
internal sealed class PrecisionOptions
{
    /// <summary>What verbs that write token by token change besides.</summary>
    public const string WithWeights = ", and keeps weights in bf16 if --weights does not say what they are";

    private const string Name = "--precision";

    private static readonly PrecisionKind[] s_known = [PrecisionKind.Float32, PrecisionKind.BFloat16];

    private readonly Option<string?> _one;

    /// <param name="command">That gets it.</param>
    /// <param name="besides">What it changes besides, as a part of a sentence.</param>
    public PrecisionOptions(VerbCommand command, string besides = "") => _one = command.Text(
        Name,
        string.Join('|', s_known.Select(known => known.Name())),
        $"What products of many rows are computed in: bf16 rounds their operands, as train.precision=bf16 does on the CPU, which is faster where it has a unit for that{besides}. fp32 if not given");

    /// <summary>What was asked for.</summary>
    /// <exception cref="UserException">It is not known.</exception>
    public PrecisionKind Precision(Invocation invocation)
    {
        string name = invocation.Get(_one) ?? s_known[0].Name();
        int index = Array.FindIndex(s_known, known => known.Name() == name);
        return index >= 0 ? s_known[index] : throw UserException.Usage($"{Name}: expected {string.Join(", ", s_known.Select(known => known.Name()))}, not '{name}'");
    }

    /// <summary>What weights are in memory where that is not said: a token that is written alone takes the time in which they are read.</summary>
    public static WeightStorage Weights(PrecisionKind precision) => precision == PrecisionKind.BFloat16 ? WeightStorage.BFloat16 : WeightStorage.AsStored;

    /// <summary>The same where it may be said.</summary>
    public static WeightStorage Weights(PrecisionKind precision, WeightOptions weights, Invocation invocation) => weights.IsGiven(invocation) ? weights.Storage(invocation) : Weights(precision);

    /// <summary>Makes a backend compute so, or throws where it cannot.</summary>
    /// <param name="precision">What was asked for.</param>
    /// <param name="backend">That computes.</param>
    /// <param name="note">Told, in a line, where the precision gains nothing.</param>
    /// <exception cref="UserException">It does not round.</exception>
    public static void Apply(PrecisionKind precision, Backend backend, Action<string> note)
    {
        if (precision == PrecisionKind.Float32)
        {
            return;
        }

        if (!backend.RoundsToBFloat16)
        {
            throw new UserException($"{Name}: {backend.Name} computes with models in fp32; leave it out, or use --device cpu");
        }

        PrecisionCheck.Tell(precision, backend, note);
        backend.RoundsOperands = true;
    }

    /// <summary>Says in a line that a model was trained in another precision than it is computed in, where there is a choice.</summary>
    public static void Compare(PrecisionKind precision, PrecisionKind trained, Backend backend, Action<string> note)
    {
        if (precision == PrecisionKind.Float32 && trained == PrecisionKind.BFloat16 && backend.RoundsToBFloat16)
        {
            note($"it was trained in {trained.Name()} and is computed in {precision.Name()}; {Name} {trained.Name()} computes as training does");
        }
    }
}
