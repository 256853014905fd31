using NanoFold.Kernels;

namespace NanoFold.Engine.Experiments;

/// <summary>The process that carries out a run of a set, as <see cref="ProcessRuns"/> starts it.</summary>
public static class RunChild
{
    /// <summary>Whether this process was started to be one. It is true once: what this process starts is none.</summary>
    public static bool IsAsked()
    {
        bool isAsked = !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(RunProtocol.Variable));
        Environment.SetEnvironmentVariable(RunProtocol.Variable, null);
        return isAsked;
    }

    /// <summary>Carries out the run that is ordered; returns 0 where it came to an end, also by stopping, and 1 where it failed.</summary>
    /// <param name="input">Where the order comes from, and the word to stop.</param>
    /// <param name="output">Gets the reports.</param>
    /// <param name="open">Opens what computes.</param>
    /// <param name="stop">Saves and stops the run.</param>
    public static int Run(TextReader input, TextWriter output, Func<RunOrder, Backend> open, CancellationToken stop = default)
    {
        if (input.ReadLine() is not { } first)
        {
            return 1;
        }

        using var asked = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var listener = new Thread(() => Listen(input, asked)) { IsBackground = true, Name = RunProtocol.StopWord };
        listener.Start();
        Lock gate = new();
        void Report(RunReport report)
        {
            lock (gate)
            {
                output.WriteLine(RunProtocol.Write(report));
                output.Flush();
            }
        }

        RunReport last = RunCarrier.Carry(RunProtocol.ReadOrder(first), open, Report, asked.Token);
        Report(last);
        return last.Outcome == RunOutcome.Ended ? 0 : 1;
    }

    private static void Listen(TextReader input, CancellationTokenSource asked)
    {
        try
        {
            while (input.ReadLine() is { } line && line != RunProtocol.StopWord)
            {
            }

            asked.Cancel();
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // The run has ended meanwhile, or nobody can ask any more.
        }
    }
}
