using System.Security.Cryptography;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Runs;

/// <summary>The state of a checkpoint and its hashes: any change since it was written is found.</summary>
public class TrainStateFileTests
{
    private static readonly TrainState s_state = new(7, 12, 1.5, 2.25, new Evaluation(2.25, 3.5, 100, 90), "abc") { LossScale = 1024, GoodSteps = 3 };
    private static readonly FileSeal s_seal = new("model.safetensors", 5, Convert.ToHexStringLower(SHA256.HashData("hello"u8)));

    private TemporaryFolder _folder = null!;

    private string StatePath => _folder[TrainState.FileName];

    [SetUp]
    public void Begin() => _folder = new TemporaryFolder();

    [TearDown]
    public void End() => _folder.Dispose();

    [Test]
    public void WhatIsWrittenIsReadAgain()
    {
        string text = Write();
        TrainState read = TrainState.Load(_folder.Path);

        Assert.That(read, Is.EqualTo(s_state));
        JsonNode seal = JsonNode.Parse(text)!["files"]!.AsArray().Single()!;
        Assert.That(
            ((string?)seal["name"], (int)seal["bytes"]!, (string?)seal["sha256"]),
            Is.EqualTo((s_seal.Name, 5, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")));
    }

    [Test]
    public void EveryDigitThatChangesIsFound()
    {
        string text = Write();
        int found = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (char.IsAsciiDigit(text[i]))
            {
                File.WriteAllText(StatePath, text[..i] + (char)(text[i] == '9' ? '8' : text[i] + 1) + text[(i + 1)..]);
                Assert.That(() => TrainState.Load(_folder.Path), Throws.TypeOf<UserException>().With.Message.StartsWith($"{StatePath}: "), text[..i]);
                found++;
            }
        }

        Assert.That(found, Is.GreaterThan(60));
    }

    [Test]
    public void AMemberIsNeitherMissingNorThereTwice([Values(1, 2)] int version)
    {
        JsonObject whole = JsonNode.Parse(Write())!.AsObject();
        if (version == 1)
        {
            foreach (string later in new[] { "files", "sha256", "lossScale", "goodSteps", "fullEvaluation", "elapsedSeconds", "plans", "evaluatedStep" })
            {
                whole.Remove(later);
            }

            whole["version"] = 1;
        }

        File.WriteAllText(StatePath, whole.ToJsonString());
        Assert.That(TrainState.Load(_folder.Path).Step, Is.EqualTo(7));
        foreach (string member in whole.Select(pair => pair.Key).ToArray())
        {
            JsonObject without = whole.DeepClone().AsObject();
            without.Remove(member);
            File.WriteAllText(StatePath, without.ToJsonString());
            Assert.That(() => TrainState.Load(_folder.Path), Throws.TypeOf<UserException>().With.Message.EqualTo($"{StatePath}: is damaged: it lacks {member}"));

            string twice = $"{whole.ToJsonString()[..^1]},\"{member}\":{whole[member]?.ToJsonString() ?? "null"}}}";
            File.WriteAllText(StatePath, twice);
            Assert.That(() => TrainState.Load(_folder.Path), Throws.TypeOf<UserException>().With.Message.StartsWith($"{StatePath}: is damaged: "), twice);
        }
    }

    [Test]
    public void AFileThatChangedIsNamed()
    {
        Write();
        File.WriteAllText(_folder["model.safetensors"], "hello");
        Assert.That(() => TrainState.LoadSound(_folder.Path), Throws.Nothing);

        File.WriteAllText(_folder["model.safetensors"], "hallo");
        Assert.That(() => TrainState.LoadSound(_folder.Path), Throws.TypeOf<UserException>().With.Message.StartsWith($"{_folder["model.safetensors"]}: is damaged or was changed: its SHA-256"));
        File.WriteAllText(_folder["model.safetensors"], "hello!");
        Assert.That(() => TrainState.LoadSound(_folder.Path), Throws.TypeOf<UserException>().With.Message.EndsWith("it has 6 bytes, 5 were written"));
        Assert.That(() => TrainState.LoadSound(_folder.Path, "config.json"), Throws.TypeOf<UserException>().With.Message.EqualTo($"{StatePath}: is damaged: it has no hash of config.json"));
    }

    [Test]
    public void ACheckpointWithoutHashesIsReadAsEver()
    {
        using var rig = new TrainRig();
        rig.Train("straight");
        rig.Train("run", "train.stopAfter=7");
        rig.MakeOlder("run", 7);
        rig.Resume("run");

        rig.AssertSame("run", "straight", 12);
    }

    private string Write()
    {
        using (FileStream stream = File.Create(StatePath))
        {
            s_state.ToFile([s_seal]).Write(stream);
        }

        return File.ReadAllText(StatePath);
    }
}
