using System.Globalization;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs;

/// <summary>
/// What the model that a run began with gives all answers of pairs: computed once when the run begins and kept in <see cref="FileName"/> of its folder, so that a run that goes
/// on needs neither the time nor that model.
/// </summary>
internal static class PreferenceReference
{
    /// <summary>The file's name in a run's folder.</summary>
    public const string FileName = "reference.safetensors";

    private const string Train = "train", Validation = "validation", Content = "contentHash", Init = "initHash";

    /// <summary>Gives the task of a session what it needs; nothing where it needs none.</summary>
    /// <param name="session">Its model has the values that the run begins with, where <paramref name="start"/> is not null.</param>
    /// <param name="folder">Of the run, or null.</param>
    /// <param name="start">The weights that it begins with now; null where it goes on.</param>
    /// <param name="note">Told that it takes time.</param>
    /// <param name="cancel">Ends it.</param>
    public static void Require(TrainSession session, string? folder, SavedModel? start, Action<string>? note, CancellationToken cancel)
    {
        if (session.Task is not PreferenceTask task || (start is null && folder is not null && TryRead(Path.Combine(folder, FileName), session.Config, task)))
        {
            return;
        }

        Arithmetic arithmetic = session.Config.Train.Precision.Arithmetic(session.Model.Backend);
        if (start is not null)
        {
            Tell(note, task);
            Compute(session.Model, task, [task.Train, task.Validation], arithmetic, cancel);
        }
        else
        {
            ComputeAgain(session.Config, task, session.Model.Backend, arithmetic, note, cancel);
        }

        if (folder is not null)
        {
            Write(Path.Combine(folder, FileName), session.Config, task);
        }
    }

    /// <summary>Gives a task that a trained model is evaluated on what it needs: what the run kept, or, where the pairs are others now, what the model that it began with gives these. Nothing is written.</summary>
    /// <param name="task">Any task; nothing where it needs none.</param>
    /// <param name="config">Of the run.</param>
    /// <param name="folder">Of the run, or null.</param>
    /// <param name="backend">Where it is computed.</param>
    /// <param name="note">Told that it takes time.</param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="UserException">The model that the run began with is gone.</exception>
    public static void Give(LearningTask task, RunConfig config, string? folder, Backend backend, Action<string>? note, CancellationToken cancel)
    {
        if (task is PreferenceTask pairs && !(folder is not null && TryRead(Path.Combine(folder, FileName), config, pairs, isFaultTold: false)))
        {
            ComputeAgain(config, pairs, backend, default, note, cancel);
        }
    }

    /// <summary>Computes it for all pairs.</summary>
    internal static void Compute(Transformer model, PreferenceLearning task, IReadOnlyList<EncodedPairs> all, Arithmetic arithmetic, CancellationToken cancel)
    {
        int time = model.Config.Context;
        BatchShape shape = BatchShape.ToEvaluate(time);
        BatchField[] fields = task.Inputs(time);
        using var buffers = new BatchBuffers(model.Backend, fields, shape.Rows, DType.Float32);
        var rows = new BatchRows(fields, shape.Rows);
        var tape = new Tape(model.Backend, arithmetic);
        Tensor nats = task.RecordNats(tape, model, buffers.On(tape)).Nats;
        tape.Keep(nats);
        using var plan = new Plan(tape);
        using DeviceBuffer arena = model.Backend.Allocate(Math.Max(1, plan.ArenaBytes));
        plan.Bind(arena);
        var values = new float[nats.Layout.Count];
        int slots = values.Length / shape.Rows;
        foreach (EncodedPairs pairs in all)
        {
            for (int first = 0; first < pairs.Rows.Count; first += shape.Rows)
            {
                cancel.ThrowIfCancellationRequested();
                rows.Fill((int row, in BatchRow into) => first + row < pairs.Rows.Count ? PreferenceTask.Fill(pairs, first + row, into) : 0);
                buffers.Upload(rows);
                plan.Run();
                model.Backend.Read(plan[nats], values);
                for (int row = 0; row < shape.Rows && first + row < pairs.Rows.Count; row++)
                {
                    ReadOnlySpan<int> own = pairs.Rows[first + row];
                    for (int p = 0; p < own.Length; p++)
                    {
                        values.AsSpan((row * slots) + (2 * p), 2).CopyTo(pairs.Reference.AsSpan(2 * own[p]));
                    }
                }
            }
        }
    }

    private static void Tell(Action<string>? note, PreferenceTask task) =>
        note?.Invoke(string.Create(CultureInfo.InvariantCulture, $"what the model to begin with says of {2 * (task.Train.Count + task.Validation.Count):N0} answers is computed once …"));

    // By the weights that the run began with.
    private static void ComputeAgain(RunConfig config, PreferenceTask task, Backend backend, Arithmetic arithmetic, Action<string>? note, CancellationToken cancel)
    {
        Tell(note, task);
        SavedModel initial = InitialWeights.Open(ref config, backend: null)!;
        using var model = new Transformer(initial.Config.Model with { Context = config.Model.Context, RopeScaling = config.Model.RopeScaling }, backend, source: null, NameGlobs.None);
        initial.Values.Fill(model.Store);
        Compute(model, task, [task.Train, task.Validation], arithmetic, cancel);
    }

    private static void Write(string path, RunConfig config, PreferenceTask task)
    {
        SafeTensorsWriter writer = ModelFile.NewWriter();
        writer.SetMetadata(Content, task.ContentHash);
        writer.SetMetadata(Init, config.Train.InitHash ?? "");
        foreach ((string name, EncodedPairs pairs) in new[] { (Train, task.Train), (Validation, task.Validation) })
        {
            writer.Add(name, [pairs.Count, 2], () => pairs.Reference);
        }

        writer.Save(path);
    }

    private static bool TryRead(string path, RunConfig config, PreferenceTask task, bool isFaultTold = true)
    {
        if (!File.Exists(path))
        {
            return false;
        }

        try
        {
            Read(path, config, task);
            return true;
        }
        catch (UserException e)
        {
            return isFaultTold ? throw new UserException($"{e.Message}; delete it, and it is computed again", e) : false;
        }
    }

    private static void Read(string path, RunConfig config, PreferenceTask task)
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(path);
        if (file.Metadata.GetValueOrDefault(Content) != task.ContentHash || file.Metadata.GetValueOrDefault(Init) != config.Train.InitHash)
        {
            throw new UserException($"{path}: is of other pairs or of another model");
        }

        foreach ((string name, EncodedPairs pairs) in new[] { (Train, task.Train), (Validation, task.Validation) })
        {
            if (file.Find(name) is not { Type: SafeTensorType.F32 } found || found.Count != pairs.Reference.Length)
            {
                throw new UserException($"{path}: '{name}' is missing or has another length");
            }

            file.Read(name, pairs.Reference.AsSpan());
        }
    }
}
