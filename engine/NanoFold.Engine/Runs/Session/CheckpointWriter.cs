using System.Text;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Runs;

/// <summary>Writes a run's checkpoints: parameters, moments, configuration, the tokenizer where there is one, state.</summary>
/// <param name="folder">The run's folder.</param>
/// <param name="config">Its configuration.</param>
/// <param name="parts">Whose parameters and moments are written.</param>
/// <param name="tokenizer">Of the model's tokens; null where they are no text.</param>
internal sealed class CheckpointWriter(RunFolder folder, RunConfig config, RunParts parts, Tokenizer? tokenizer)
{
    /// <summary>Writes one, marks it where it is the best, and returns its path.</summary>
    /// <param name="state">Of the step that it is of.</param>
    /// <param name="best">Its validation loss where that is the lowest so far, otherwise null.</param>
    /// <param name="isNew">Whether its step is later than that of the newest: then it is saved elsewhere where the folder does not take it.</param>
    public string Write(TrainState state, double? best, bool isNew)
    {
        string path;
        try
        {
            folder.Mend(config);
            path = Write(folder.Checkpoints, state, best);
            folder.Mend(config);
        }
        catch (UserException e) when (isNew)
        {
            throw new RunRescue(folder, config).Save(state.Step, checkpoints => Write(checkpoints, state, best), e);
        }

        return path;
    }

    /// <summary>Deletes what the configuration does not keep.</summary>
    public void Prune() => folder.Checkpoints.Prune(config.Train.KeepCheckpoints, config.Train.CheckpointAtStart);

    private string Write(CheckpointFolder checkpoints, TrainState state, double? best)
    {
        Checkpoint checkpoint = checkpoints.Write(state.Step,
        [
            ModelFile.Of(parts.Model.Store, parts.Left),
            OptimizerFile.Of(parts.Trainer.Optimizer, parts.Model.Store),
            new CheckpointFile(RunConfig.FileName, stream => stream.Write(Encoding.UTF8.GetBytes(config.ToJson()))),
            .. tokenizer is null ? [] : (CheckpointFile[])[new CheckpointFile(Tokenizer.FileName, stream => stream.Write(tokenizer.Serialize()))],
        ],
        state.ToFile);
        if (best is { } loss)
        {
            checkpoints.MarkBest(state.Step, loss);
        }

        return checkpoint.Path;
    }
}
