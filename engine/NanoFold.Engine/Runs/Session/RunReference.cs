using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>The model as it was when a run began, where the run is held near it.</summary>
internal static class RunReference
{
    /// <summary>Makes it, without values where it has its own; null where nothing asks for it.</summary>
    /// <param name="config">Of the run.</param>
    /// <param name="model">What is trained.</param>
    public static Reference? Of(RunConfig config, Transformer model)
    {
        if (config.Train.KlWeight == 0 || config.Train.Init is null)
        {
            return null;
        }

        ModelConfig initial = InitialModel(config);
        return config.Model.Adapters.Count > 0 && initial.Adapters.Count == 0 && config.Train.Trains is null && config.Model.Edits.Count == 0
            ? new Reference(model, IsWithoutAdapters: true)
            : new Reference(new Transformer(initial, model.Backend, source: null, NameGlobs.None), IsWithoutAdapters: false);
    }

    /// <summary>Reads the values that it has of its own.</summary>
    /// <exception cref="UserException">The weights that the run began with are gone, or are not what they were.</exception>
    public static void Fill(RunConfig config, Reference? reference)
    {
        if (reference is not { IsWithoutAdapters: false })
        {
            return;
        }

        RunConfig opened = config;
        InitialWeights.Open(ref opened, backend: null)!.Values.Fill(reference.Model.Store);
    }

    // As the weights were trained, in rows of the run's length.
    private static ModelConfig InitialModel(RunConfig config)
    {
        ModelConfig initial = SavedModel.Open(SavedRun.FindCheckpoint(config.Train.Init!), weights: false).Config.Model;
        return initial with { Context = config.Model.Context, RopeScaling = config.Model.RopeScaling };
    }
}
