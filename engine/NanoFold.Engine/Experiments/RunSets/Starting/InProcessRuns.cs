using NanoFold.Kernels;

namespace NanoFold.Engine.Experiments;

/// <summary>Carries out runs in this process, one after another: where it cannot be started again, such as in a test.</summary>
/// <param name="open">Opens what computes.</param>
public sealed class InProcessRuns(Func<RunOrder, Backend> open) : IRunStarter
{
    /// <inheritdoc/>
    public bool HasProcesses => false;

    /// <inheritdoc/>
    public IRunningRun Start(RunOrder order, Action<RunReport> report) => new Running(order, open, report);

    private sealed class Running : IRunningRun
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Thread _thread;

        public Running(RunOrder order, Func<RunOrder, Backend> open, Action<RunReport> report)
        {
            _thread = new Thread(() => report(RunCarrier.Carry(order, open, report, _stop.Token))) { IsBackground = true, Name = order.Folder };
            _thread.Start();
        }

        public void Stop() => _stop.Cancel();

        public void Dispose()
        {
            _thread.Join();
            _stop.Dispose();
        }
    }
}
