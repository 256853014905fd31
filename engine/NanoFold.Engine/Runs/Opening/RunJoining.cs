using System.Text;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Text;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs;

/// <summary>
/// Taking part in a run that process 0 opens or resumes. From it come configuration, tokenizer, parameters, moments and the step, so that the others need no
/// folder and no checkpoint, and cannot begin with anything else; what is trained on they read by themselves.
/// </summary>
internal static class RunJoining
{
    /// <summary>Process 0: opens a session; where that fails, no other process waits for it.</summary>
    public static TrainSession Lead(ICollective collective, Func<TrainSession> open)
    {
        if (collective.Rank > 0)
        {
            throw new ArgumentException($"process {collective.Rank} of {collective.World}: only process 0 opens or resumes a run, the others join it");
        }

        return Guard(collective, open);
    }

    /// <summary>Another process: waits for the session of process 0 and opens its own.</summary>
    /// <param name="backend">Where it is computed.</param>
    /// <param name="collective">The processes.</param>
    /// <param name="note">Told, in a line, what takes time.</param>
    /// <param name="cancel">Ends tokenizing.</param>
    /// <exception cref="UserException">Process 0 could not open the run, or what is trained on is not the same here.</exception>
    public static TrainSession Join(Backend backend, ICollective collective, Action<string>? note, CancellationToken cancel)
    {
        if (collective.Rank == 0)
        {
            throw new ArgumentException($"process 0 of {collective.World}: opens or resumes a run, the others join it");
        }

        return Guard(collective, () => Take(backend, collective, note, cancel));
    }

    /// <summary>Throws where a text can be read by one process only.</summary>
    public static void RequireShared(RunConfig config, ICollective collective)
    {
        if (collective.World > 1 && config.Task.IsText && config.Data.Path is { } path && Corpus.CanBeReadOnce(path))
        {
            throw new UserException($"{path}: can be read only once, and {collective.World} processes read it; keep the text in a file");
        }
    }

    /// <summary>Process 0, its session complete: gives the others what they need and waits until they are ready.</summary>
    /// <exception cref="UserException">One of them is not going to be.</exception>
    public static void Give(TrainSession session)
    {
        ICollective collective = session.Collective;
        if (collective.World > 1)
        {
            collective.Agree(session.Config.ToJson());
            collective.Agree(session.Task.Tokenizer is { } tokenizer ? Encoding.UTF8.GetString(tokenizer.Serialize()) : "");
            collective.Agree(session.State.ContentHash);
            collective.Agree(session.State.Step);
            session.Trainer.Align(session.Model.Store);
            collective.Any(false);
        }
    }

    private static TrainSession Take(Backend backend, ICollective collective, Action<string>? note, CancellationToken cancel)
    {
        RunConfig config = new ConfigTree().AddJson(collective.Agree(""), "the configuration of process 0").Build();
        string words = collective.Agree("");
        Tokenizer? tokenizer = words.Length > 0 ? Tokenizer.Parse(Encoding.UTF8.GetBytes(words), "the tokenizer of process 0") : null;
        string hash = collective.Agree("");
        long step = collective.Agree(0L);
        PrecisionCheck.Require(config.Train.Precision, backend);
        LearningTask? task = null;
        TrainSession? session = null;
        try
        {
            task = config.Task.Open(TrainData.ContextOf(config, note, cancel, tokenizer));
            if (task.ContentHash != hash || (tokenizer is not null && !task.Tokenizer!.Serialize().AsSpan().SequenceEqual(tokenizer.Serialize())))
            {
                throw new UserException($"{task.Name}: is not what process 0 trains on, or has another tokenizer; every process needs the same");
            }

            MemoryCheck.Require(Part(config, collective), backend);
            session = new TrainSession(config, task, backend, folder: null, drawsParameters: false, collective);
            RunReference.Fill(config, session.Reference);
            PreferenceReference.Require(session, null, null, note, cancel);
            session.Begin(step);
            session.Trainer.Align(session.Model.Store);
            collective.Any(false);
            return session;
        }
        catch
        {
            session?.Dispose();
            task?.Dispose();
            throw;
        }
    }

    /// <summary>What a configuration asks of one process: its part of a step's micro-batches.</summary>
    /// <exception cref="UserException">They cannot be shared evenly.</exception>
    public static RunConfig Part(RunConfig config, ICollective collective)
        => config with { Train = config.Train with { Accumulate = MicroBatches.Share(config.Train, collective) } };

    private static TrainSession Guard(ICollective collective, Func<TrainSession> open)
    {
        try
        {
            return open();
        }
        catch (Exception e)
        {
            collective.Leave(e.Message);
            throw;
        }
    }
}
