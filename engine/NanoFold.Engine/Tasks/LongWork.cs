using System.Diagnostics;

namespace NanoFold.Engine.Tasks;

/// <summary>Work on a task that may take long: ended by <see cref="TaskContext.Cancel"/>, and told of by <see cref="TaskContext.Note"/> once it has taken a second.</summary>
/// <param name="context">What the task is opened for.</param>
/// <param name="what">The work, as a line.</param>
/// <param name="patience">Seconds after which it is told.</param>
internal sealed class LongWork(TaskContext context, string what, double patience = 1)
{
    private readonly long _began = Stopwatch.GetTimestamp();
    private bool _isTold;

    /// <summary>Between two parts of the work.</summary>
    /// <exception cref="OperationCanceledException">It is to end.</exception>
    public void Look()
    {
        context.Cancel.ThrowIfCancellationRequested();
        if (!_isTold && Stopwatch.GetElapsedTime(_began).TotalSeconds >= patience)
        {
            _isTold = true;
            context.Note?.Invoke(what);
        }
    }
}
