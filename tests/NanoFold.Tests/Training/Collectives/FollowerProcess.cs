using System.Diagnostics;
using System.Globalization;
using NanoFold.Engine;
using NanoFold.Engine.Runs;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Training.Collectives;

/// <summary>This assembly as a process of its own that takes part in runs.</summary>
internal static class FollowerProcess
{
    public static Process Start(int port, int rank, int world, int runs)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet") { RedirectStandardError = true };
        foreach (string argument in new[] { typeof(FollowerProcess).Assembly.Location, $"{port}", $"{rank}", $"{world}", $"{runs}" })
        {
            start.ArgumentList.Add(argument);
        }

        return Process.Start(start)!;
    }

    private static int Main(string[] arguments)
    {
        int[] numbers = [.. arguments.Select(argument => int.Parse(argument, CultureInfo.InvariantCulture))];
        try
        {
            for (int run = 0; run < numbers[3]; run++)
            {
                using var backend = new CpuBackend(1);
                using LoopbackCollective collective = LoopbackCollective.Follow(backend, numbers[0], numbers[1], numbers[2]);
                using TrainSession session = TrainSession.Join(backend, collective);
                new TrainLoop(session).Run();
            }

            return 0;
        }
        catch (UserException e)
        {
            Console.Error.WriteLine(e.Message);
            return e.ExitCode;
        }
    }
}
