using System.CommandLine;
using NanoFold.Engine;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Cli.Options;

/// <summary>The options that say which model is used: the model, an adapter on it, what its weights are in memory, and how it computes with them.</summary>
/// <param name="command">That gets them.</param>
/// <param name="decodes">Whether it writes token by token, so that there is something to keep.</param>
internal sealed class ModelOptions(VerbCommand command, bool decodes = true)
{
    /// <summary>Of <c>--model</c>.</summary>
    public const string ModelHelp = "A run folder (its best checkpoint), a checkpoint, or a model of another program";

    /// <summary>Of <c>--adapter</c>.</summary>
    public const string AdapterHelp = "The folder of an adapter of peft that is put on the model; such a folder may also be --model itself, where it names its base";

    /// <summary>Where <c>--model</c> is missing.</summary>
    public const string NoModel = "--model is needed: a run folder of train, a checkpoint, or a model of another program";

    private readonly Option<string?> _model = command.Text("--model", "RUN", ModelHelp);
    private readonly Option<string?> _adapter = command.Text("--adapter", "DIR", AdapterHelp);
    private readonly WeightOptions _weights = new(command);
    private readonly ActivationOptions _activations = new(command);
    private readonly PrecisionOptions _precision = new(command, decodes ? PrecisionOptions.WithWeights : "");
    private readonly CacheOptions? _cache = decodes ? new(command) : null;

    /// <summary>What was chosen.</summary>
    /// <exception cref="UserException">No model was named, or a type of weights or activations that is not known.</exception>
    public ModelChoice Choice(Invocation invocation)
    {
        PrecisionKind precision = _precision.Precision(invocation);
        WeightStorage weights = decodes ? PrecisionOptions.Weights(precision, _weights, invocation) : _weights.Storage(invocation);
        return new ModelChoice(invocation.Get(_model) ?? throw UserException.Usage(NoModel), invocation.Get(_adapter), weights, _activations.Rounds(invocation))
        {
            Cache = _cache?.Type(invocation) ?? DType.Float32,
            Precision = precision,
        };
    }
}

/// <summary>A model that is used.</summary>
/// <param name="Path">Of a run, a checkpoint, or a model of another program.</param>
/// <param name="Adapter">A folder of peft, or null.</param>
/// <param name="Weights">What its weights are in memory.</param>
/// <param name="RoundsActivations">See <see cref="ActivationOptions"/>.</param>
internal sealed record ModelChoice(string Path, string? Adapter, WeightStorage Weights, bool RoundsActivations)
{
    /// <summary>In what keys and values are kept, see <see cref="CacheOptions"/>.</summary>
    public DType Cache { get; init; } = DType.Float32;

    /// <summary>What it is computed in, see <see cref="PrecisionOptions"/>.</summary>
    public PrecisionKind Precision { get; init; }

    /// <summary>Loads it.</summary>
    /// <param name="backend">Where it is and computes.</param>
    /// <param name="note">Told, in a line, what is odd about its precision.</param>
    /// <exception cref="UserException">It is not there, or damaged, or the backend cannot compute so.</exception>
    public TrainedModel Load(Backend backend, Action<string> note)
    {
        PrecisionOptions.Apply(Precision, backend, note);
        TrainedModel model = TrainedModel.Load(Path, backend, Adapter, Weights);
        try
        {
            if (RoundsActivations)
            {
                ActivationOptions.Round(backend, model.Model, Path);
            }

            CacheOptions.Apply(Cache, backend, model.Model, Path);
            PrecisionOptions.Compare(Precision, model.Config.Train.Precision, backend, note);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }
}
