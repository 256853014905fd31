using NanoFold.Engine.Configuration;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs;

/// <summary>From a configuration to the <see cref="TrainSession"/> of a new run.</summary>
internal static class RunOpening
{
    /// <summary>Opens a new run.</summary>
    /// <param name="config">What to do; checked here, and what it leaves open is filled in.</param>
    /// <param name="backend">Where it is computed.</param>
    /// <param name="folder">Where to write, or null to write nothing.</param>
    /// <param name="note">Told, in a line, what takes time.</param>
    /// <param name="cancel">Ends tokenizing.</param>
    /// <param name="collective">The processes that train together, of which this is number 0.</param>
    /// <exception cref="UserException">Settings, text, folder or memory do not allow it; nothing is left on the disk then.</exception>
    public static TrainSession Open(RunConfig config, Backend backend, string? folder, Action<string>? note, CancellationToken cancel, ICollective collective)
    {
        config = Checked(config);
        RunJoining.RequireShared(config, collective);
        SavedModel? start = InitialWeights.Open(ref config);
        PrecisionCheck.Require(config.Train.Precision, backend);
        PrecisionCheck.Tell(config.Train.Precision, backend, note);
        RunFolder? run = folder is null ? null : RunFolder.Create(folder);
        LearningTask? task = null;
        TrainSession? session = null;
        try
        {
            task = config.Task.Open(TrainData.ContextOf(config, note, cancel));
            InitialWeights.RequireTokenizer(start, task);
            config = config.WithVocab(task.Vocab);
            MemoryCheck.Require(RunJoining.Part(config, collective), backend);
            config = config with { Train = config.Train with { Batch = BatchSize.Choose(config, task, backend, note, cancel) } };
            if (run is not null && config.Data.Path is { } path && Corpus.CanBeReadOnce(path))
            {
                note?.Invoke($"{path}: can be read only once; to go on with this run later, keep the text in a file and name it: --resume {folder} --data FILE");
            }

            RequireRoom(config);
            config = FullPaths.Of(config.Resolve());
            MemoryCheck.RequireRun(RunJoining.Part(config, collective), backend);
            session = new TrainSession(config, task, backend, run, drawsParameters: start is null, collective);
            if (task.Doubt is { } doubt)
            {
                note?.Invoke(doubt);
            }

            session.RequireGoal();
            InitialWeights.Read(start, session, note);
            RunReference.Fill(config, session.Reference);
            PreferenceReference.Require(session, run?.Path, start, note, cancel);
            RunJoining.Give(session);
            if (run is not null)
            {
                DiskCheck.Require(run.Path, DiskCheck.CheckpointBytes(session), config.Train.KeepCheckpoints, DiskCheck.FreeBytes(run.Path), note);
                run.WriteConfig(config);
                if ((task.ChatTemplate ?? start?.ChatTemplate) is { } template)
                {
                    run.WriteTemplate(template);
                }
            }

            SaveAtStart(session);
            return session;
        }
        catch
        {
            session?.Dispose();
            task?.Dispose();
            run?.Discard();
            throw;
        }
    }

    // How many steps tokens or FLOPs are is not known before.
    private static void RequireRoom(RunConfig config)
    {
        if (Budget.Of(config) is { Key: not "train.steps" } budget && config.Planned().Validate("train").ToArray() is { Length: > 0 } problems)
        {
            throw new ConfigException([.. problems.Select(problem => problem with { Message = $"{problem.Message}, which {budget.Key} allows" })]);
        }
    }

    /// <summary>Writes the checkpoint of step 0 where there is to be one.</summary>
    internal static void SaveAtStart(TrainSession session)
    {
        if (session.Config.Train.CheckpointAtStart)
        {
            session.Save(0, 0);
        }
    }

    /// <summary>A configuration made in code is checked as one from a file, with the same messages.</summary>
    internal static RunConfig Checked(RunConfig config)
    {
        RunConfig built = new ConfigTree().AddJson(config.ToJson(), "configuration").Build();
        return built with { Train = built.Train with { StopAfter = config.Train.StopAfter } };
    }
}
