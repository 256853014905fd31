using System.Globalization;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>Notices that a run has lost its way, by what is not finite or by losses that no model has, and says so.</summary>
internal sealed class Divergence(TrainSession session)
{
    // In half precision the loss scale has fallen to 1 long before that.
    private const int MostSkippedInARow = 50;

    // More than a wave that passes.
    private const int MostLostInARow = 20;

    private readonly bool _skips = session.Config.Train.Precision.ScalesLoss();
    private int _skipped;
    private int _lost;

    /// <summary>Whether the last step's loss is beyond any perplexity: its state is not to take the place of a better one.</summary>
    public bool IsLost => _lost > 0;

    /// <summary>Looks at a step; true where training cannot go on: nothing was updated.</summary>
    public bool IsNotFinite(in StepResult result)
    {
        _skipped = result.IsFinite ? 0 : _skipped + 1;
        return _skipped > 0 && (!_skips || _skipped == MostSkippedInARow);
    }

    /// <summary>Looks at a step that updated; true where it and those before it are far from anything that was learned.</summary>
    public bool HasLost(in StepResult result)
    {
        _lost = result.IsFinite && !IsBeyond(result.Loss) ? 0 : _lost + (result.IsFinite ? 1 : 0);
        return _lost >= MostLostInARow;
    }

    /// <summary>Whether a loss is finite but so high that its perplexity is not; of losses that are no code lengths none is.</summary>
    public bool IsBeyond(double loss) => session.Task.Unit.IsCode && double.IsFinite(loss) && !double.IsFinite(Math.Exp(loss));

    /// <summary>After step <paramref name="step"/> + 1 gave what is not finite, and the state before it was saved.</summary>
    public DivergedException NotFinite(long step, string what)
    {
        string found = $"step {step + 1}: {session.Trainer.FindNotFinite(step) ?? what} is not finite";
        string saved = session.RunPath is { } run ? $"; the state before it is saved in {run}" : "";
        return new DivergedException(_skipped == MostSkippedInARow
            ? $"{found}, and {_skipped - 1} steps before it were skipped for the same reason{saved}; start again with --precision bf16 or a lower train.learningRate"
            : $"{found}{saved}; start again with a lower train.learningRate or train.clip");
    }

    /// <summary>After step <paramref name="step"/>, whose loss is beyond any perplexity; the last checkpoint is written.</summary>
    public DivergedException Beyond(long step, string what, double loss)
    {
        string guess = session.Task.LossOfGuessing is { } guessing ? string.Create(CultureInfo.InvariantCulture, $", where guessing has {guessing:0.####}") : "";
        string saved = session.RunPath is { } run ? $"; the state of step {session.SavedStep} is saved in {run}" : "";
        return new DivergedException(string.Create(
            CultureInfo.InvariantCulture,
            $"step {step}: {what} is {loss:0.####} {session.Task.Unit.Name}{guess}: the run has diverged{saved}; start again with a lower train.learningRate or train.clip"));
    }
}

/// <summary>A run cannot go on: what it computes is not finite, or beyond any perplexity.</summary>
public sealed class DivergedException(string message) : UserException(message);
