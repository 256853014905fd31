using System.Diagnostics;
using System.Text.Json;
using NanoFold.Cli;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Cli;

/// <summary>The command line as a process of its own, ended from outside.</summary>
[NonParallelizable]
[Category("Long")]
public class KillTests
{
    private const int Kills = 20;
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    [Test]
    public void KilledWhileCheckpointsAreWrittenARunIsNeverLost()
    {
        using var rig = new TrainRig();
        // Every step writes a checkpoint, so most of the time one is being written. Many steps: no start comes to the end.
        string[] settings = rig.Settings("train.steps=1000000", "train.warmup=10", "train.evaluateEvery=3", "train.checkpointEvery=1", "model.width=64", "model.hidden=256");
        string checkpoints = Path.Combine(rig["run"], "checkpoints");
        var random = new Random(1);
        long reached = 0;
        for (int kill = 0; kill < Kills; kill++)
        {
            string[] arguments = kill == 0 ? [.. settings.SelectMany(s => new[] { "--set", s }), "--out", rig["run"]] : ["--resume", rig["run"]];
            using Process process = Start(["train", "--device", "cpu", "--threads", "1", .. arguments]);
            // Killed some steps after it has written its first checkpoint.
            WaitFor(process, () => Newest(checkpoints) > reached);
            Thread.Sleep(random.Next(60));
            process.Kill();
            process.WaitForExit();

            long before = reached;
            reached = AssertSound(rig, checkpoints);
            Assert.That(reached, Is.GreaterThan(before));
        }

        // The logs have every step once, as if nothing had happened.
        using (var backend = new CpuBackend(1))
        {
            TrainSession.Resume(rig["run"], backend).Dispose();
        }

        long[] steps = [.. JsonLinesLog.Read(Path.Combine(rig["run"], RunFolder.MetricsFile)).Where(line => line.TryGetProperty("loss", out _)).Select(line => line.GetProperty("step").GetInt64())];
        Assert.That(steps, Is.EqualTo(Enumerable.Range(1, (int)reached)));

        // The same as a run that was never touched.
        rig.Train("straight", [.. settings[10..], $"train.stopAfter={reached}"]);
        rig.AssertSame("run", "straight", reached, metrics: false);
    }

    [TestCase("INT", 130)]
    [TestCase("TERM", 143)]
    public void AskedToEndItFinishesTheStepAndSaysHowToGoOn(string signal, int code)
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Ignore("there are no signals to send");
        }

        using var rig = new TrainRig();
        string[] settings = rig.Settings("train.steps=1000000", "train.evaluateEvery=1000000", "train.checkpointEvery=1000000", "train.keepCheckpoints=5");
        using Process process = Start(["train", "--device", "cpu", "--threads", "1", .. settings.SelectMany(s => new[] { "--set", s }), "--out", rig["run"], "--json"]);
        Task<string> standard = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        WaitFor(process, () => File.Exists(Path.Combine(rig["run"], RunFolder.MetricsFile)) && new FileInfo(Path.Combine(rig["run"], RunFolder.MetricsFile)).Length > 0);
        CommandLine second = CommandLine.Run("train", "--resume", rig["run"]);
        Assert.That((second.Code, second.ErrorLines.Length), Is.EqualTo((1, 1)));
        Assert.That(second.Error, Does.StartWith($"nanofold: {rig["run"]} is being written by another nanofold"));
        using (var kill = Process.Start("kill", [$"-{signal}", $"{process.Id}"]))
        {
            kill.WaitForExit();
        }

        Assert.That(process.WaitForExit(s_patience), "it did not end");
        Assert.That(process.ExitCode, Is.EqualTo(code), error.Result);
        JsonElement result = JsonDocument.Parse(standard.Result.TrimEnd().Split('\n')[^1]).RootElement;
        Assert.That(result.GetProperty("end").GetString(), Is.EqualTo("interrupted"));
        Assert.That(error.Result, Does.Contain($"nanofold: SIG{signal}: ending after this step with a checkpoint"));
        Assert.That(error.Result, Does.Contain($"go on with:  ./nanofold train --resume {rig["run"]}"));
        Assert.That(rig.Checkpoints("run"), Is.EqualTo(new[] { result.GetProperty("steps").GetInt64() }));
    }

    [Test]
    public async Task WatchServesThePageUntilItIsAskedToEnd()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Ignore("there are no signals to send");
        }

        using var rig = new TrainRig();
        rig.Train("run");
        using Process process = Start(["watch", rig["run"], "--port", "0", "--json"]);
        string line = await process.StandardError.ReadLineAsync() ?? "";
        Assert.That(line, Does.Match($"^http://127\\.0\\.0\\.1:\\d+/ shows .*run as it grows; Ctrl-C ends$"));
        string address = line.Split(' ')[0];
        using (var client = new HttpClient())
        {
            Assert.That(await client.GetStringAsync(address), Does.Contain("<h3>Loss</h3>"));
        }

        using (var kill = Process.Start("kill", ["-INT", $"{process.Id}"]))
        {
            kill.WaitForExit();
        }

        Assert.That(process.WaitForExit(s_patience), "it did not end");
        JsonElement result = JsonDocument.Parse(await process.StandardOutput.ReadToEndAsync()).RootElement;
        Assert.That((process.ExitCode, result.GetProperty("address").GetString(), result.GetProperty("requests").GetInt64()), Is.EqualTo((130, address, 1L)));
    }

    private static Process Start(string[] arguments)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "nanofold.dll"));
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        return Process.Start(start)!;
    }

    private static void WaitFor(Process process, Func<bool> condition)
    {
        long started = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.That(process.HasExited, Is.False, () => process.StandardError.ReadToEnd());
            Assert.That(Stopwatch.GetElapsedTime(started), Is.LessThan(s_patience), "nothing happens");
            Thread.Sleep(1);
        }
    }

    private static long Newest(string checkpoints) => new CheckpointFolder(checkpoints).Newest()?.Step ?? 0;

    // Every checkpoint that is there can be loaded whole; returns the newest step.
    private static long AssertSound(TrainRig rig, string checkpoints)
    {
        using var backend = new CpuBackend(1);
        IReadOnlyList<Checkpoint> found = new CheckpointFolder(checkpoints).List();
        foreach (Checkpoint checkpoint in found)
        {
            TrainedModel.Load(checkpoint.Path, backend).Dispose();
            Assert.That(TrainState.Load(checkpoint.Path).Step, Is.EqualTo(checkpoint.Step));
            using SafeTensorsFile moments = SafeTensorsFile.Open(checkpoint.File("optimizer.safetensors"));
            Assert.That(moments.Tensors, Has.Count.EqualTo(2));
        }

        Assert.That(SavedRun.FindCheckpoint(rig["run"]), Does.StartWith(checkpoints));
        return found[^1].Step;
    }
}
