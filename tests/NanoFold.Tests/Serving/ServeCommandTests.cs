using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Serving;

/// <summary>The verb.</summary>
public class ServeCommandTests
{
    [Test]
    public void WhatIsWrongIsSaidBeforeAnythingIsServed()
    {
        using var rig = new TrainRig();
        rig.Train("run");
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        string port = $"{((IPEndPoint)taken.LocalEndpoint).Port}";
        (string[] Arguments, int Code, string Says)[] cases =
        [
            ([], 2, "nanofold: --model is needed"),
            (["--model", rig["run"], "--host", "0.0.0.0"], 2, "nanofold: --host 0.0.0.0: others can reach it, so that a key is needed; give one with --api-key or NANOFOLD_API_KEY"),
            (["--model", rig["run"], "--host", "here"], 2, "nanofold: --host here: is no address; expected one such as 127.0.0.1"),
            (["--model", rig["run"], "--streams", "0"], 2, "nanofold: --streams"),
            (["--model", rig["none"]], 1, "nanofold: "),
            (["--model", rig["run"], "--port", port, "--device", "cpu", "--threads", "1"], 1, $"nanofold: 127.0.0.1, port {port}, cannot be listened on"),
        ];
        foreach ((string[] arguments, int code, string says) in cases)
        {
            CommandLine run = CommandLine.Run(["serve", .. arguments]);
            Assert.That((run.Code, run.Error), Is.EqualTo((code, run.Error)), string.Join(' ', arguments));
            Assert.That(run.Error, Does.StartWith(says));
        }
    }

    [Test]
    [Category("Long")]
    public async Task SixtyFourClientsOfAnotherProcessGetWhatGenerateWrites()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Ignore("there are no signals to send");
        }

        using var rig = new TrainRig();
        rig.Train("run", "model.context=64", "model.width=32");
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in new[] { Path.Combine(AppContext.BaseDirectory, "nanofold.dll"), "serve", "--model", rig["run"], "--port", "0", "--threads", "1", "--device", "cpu", "--json" })
        {
            start.ArgumentList.Add(argument);
        }

        using Process process = Process.Start(start)!;
        string line = await process.StandardError.ReadLineAsync() ?? "";
        Assert.That(line, Does.Match("^http://127\\.0\\.0\\.1:\\d+/v1 serves run, 8 texts at a time; Ctrl-C ends$"));
        using var client = new HttpClient { BaseAddress = new Uri(line.Split(' ')[0][..^3]) };
        string[] answers = await Task.WhenAll(Enumerable.Range(0, 64).Select(async i =>
        {
            HttpResponseMessage answer = await client.PostAsJsonAsync("/v1/completions", new { prompt = $"no. {i}", seed = i, max_tokens = 20 + i });
            return (string)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["choices"]![0]!["text"]!;
        }));
        for (int i = 0; i < answers.Length; i++)
        {
            JsonObject alone = CommandLine.Json("generate", "--model", rig["run"], "--prompt", $"no. {i}", "--seed", $"{i}", "--max-tokens", $"{20 + i}", "--threads", "1", "--device", "cpu");
            Assert.That(answers[i], Is.EqualTo((string?)alone["samples"]![0]!["text"]), $"client {i}");
        }

        using (var kill = Process.Start("kill", ["-INT", $"{process.Id}"]))
        {
            await kill.WaitForExitAsync();
        }

        Assert.That(process.WaitForExit(TimeSpan.FromMinutes(1)), "it did not end");
        JsonObject result = JsonNode.Parse(await process.StandardOutput.ReadToEndAsync())!.AsObject();
        Assert.That((process.ExitCode, (long)result["requests"]!, (string?)result["model"]), Is.EqualTo((130, 64L, "run")));
    }
}
