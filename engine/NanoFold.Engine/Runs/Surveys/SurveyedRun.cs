using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs.Exports;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Text;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs.Surveys;

/// <summary>A run's checkpoints, or a model by itself: one after the other is read into the same memory.</summary>
internal sealed class SurveyedRun : IDisposable
{
    private readonly SavedModel[] _saved;

    private SurveyedRun(string path, SavedModel[] saved, Checkpoint[] checkpoints, Backend backend)
    {
        (Path, _saved, Checkpoints) = (path, saved, checkpoints);
        Model = new Transformer(Config.Model, backend, source: null, trains: null);
    }

    /// <summary>As it was named.</summary>
    public string Path { get; }

    /// <summary>What it is called.</summary>
    public string Name => System.IO.Path.GetFileName(System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(Path)));

    /// <summary>Those that are looked at, by step.</summary>
    public IReadOnlyList<Checkpoint> Checkpoints { get; }

    /// <summary>Of the last of them.</summary>
    public RunConfig Config => _saved[^1].Config;

    /// <summary>Null where the task has no text.</summary>
    public Tokenizer? Tokenizer => _saved[^1].Tokenizer;

    /// <summary>The values of the checkpoint that was read last.</summary>
    public Transformer Model { get; }

    /// <summary>Whether it is the folder of a run.</summary>
    public bool IsRun => !SavedRun.IsCheckpoint(Path);

    /// <summary>Opens a run or checkpoint; nothing is read into memory yet.</summary>
    /// <param name="path">Of either.</param>
    /// <param name="which"><c>all</c>, <c>last</c> or steps with commas.</param>
    /// <param name="backend">Where its model is.</param>
    /// <exception cref="UserException">There is none, a step is missing, or checkpoints are not of one model.</exception>
    public static SurveyedRun Open(string path, string which, Backend backend)
    {
        // Says what is wrong with the path.
        string best = SavedRun.FindCheckpoint(path);
        Checkpoint[] chosen = SavedRun.IsCheckpoint(path) ? Alone(best, which) : Choose(path, which);
        SavedModel[] saved = [.. chosen.Select(checkpoint => SavedModel.Open(checkpoint.Path))];
        for (int i = 0; i + 1 < saved.Length; i++)
        {
            if (ModelOf(saved[i]) != ModelOf(saved[^1]))
            {
                throw new UserException($"{chosen[i].Path}: is of another model than {System.IO.Path.GetFileName(chosen[^1].Path)}; choose with --checkpoints");
            }
        }

        return new SurveyedRun(path, saved, chosen, backend);
    }

    /// <summary>Reads a checkpoint into <see cref="Model"/>.</summary>
    public void Load(int checkpoint) => _saved[checkpoint].Values.Fill(Model.Store);

    /// <summary>Draws the values that a model begins with.</summary>
    public void Draw() => Model.Store.Fill(new SeedSource((ulong)Config.Train.Seed));

    /// <summary>What it is measured in: what it was trained in, where the device has that, otherwise fp32.</summary>
    /// <param name="backend">The device.</param>
    /// <param name="note">Told where it is another.</param>
    public Arithmetic ArithmeticOn(Backend backend, Action<string> note)
    {
        PrecisionKind precision = Config.Train.Precision;
        if (PrecisionCheck.Can(precision, backend))
        {
            return precision.Arithmetic(backend);
        }

        note($"{Path}: was trained in {precision.Name()}, which {backend.Name} does not compute; measured in fp32");
        return default;
    }

    /// <summary>A checkpoint in memory of its own; adapters are merged into the matrices that they are around, so that these can be compared.</summary>
    public Transformer Open(int checkpoint)
    {
        var model = new Transformer(Config.Model, Model.Backend, source: null, trains: null);
        try
        {
            _saved[checkpoint].Values.Fill(model.Store);
        }
        catch
        {
            model.Dispose();
            throw;
        }

        if (model.Adapters is null)
        {
            return model;
        }

        using (model)
        {
            return MergedModel.Of(model);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Model.Dispose();

    private static Checkpoint[] Alone(string path, string which) => which is "all" or "last"
        ? [new Checkpoint(StepOf(path), path)]
        : throw UserException.Usage($"--checkpoints {which}: {path} is a checkpoint itself; name its run to choose among those of it");

    private static Checkpoint[] Choose(string path, string which)
    {
        IReadOnlyList<Checkpoint> all = new CheckpointFolder(System.IO.Path.Combine(path, RunFolder.CheckpointsFolder)).List();
        if (which is "all" or "last")
        {
            return which == "all" ? [.. all] : [all[^1]];
        }

        var chosen = new SortedDictionary<long, Checkpoint>();
        foreach (string text in which.Split(',', StringSplitOptions.TrimEntries))
        {
            if (!long.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out long step))
            {
                throw UserException.Usage($"--checkpoints {which}: expected all, last or steps such as 500,1000");
            }

            chosen[step] = all.FirstOrDefault(checkpoint => checkpoint.Step == step)
                ?? throw UserException.Usage($"--checkpoints {which}: {path} has no checkpoint of step {step}; there are {string.Join(", ", all.Select(checkpoint => checkpoint.Step))}");
        }

        return [.. chosen.Values];
    }

    private static string ModelOf(SavedModel saved) => new RunConfig { Model = saved.Config.Model }.ToJson();

    private static long StepOf(string folder) => File.Exists(System.IO.Path.Combine(folder, TrainState.FileName)) ? TrainState.Load(folder).Step : 0;
}
