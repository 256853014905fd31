using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Runs;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Runs.Evaluations;

/// <summary><c>eval</c> on another task, on other settings of it and on rows of another length than a run was trained on.</summary>
[NonParallelizable]
public sealed class EvaluatedTaskTests
{
    private readonly TrainRig _rig = new();

    [OneTimeSetUp]
    public void Train()
    {
        string[] settings =
        [
            "task=recall", "task.symbols=16", "task.validationRows=20", "model.context=16", "model.layers=1", "model.width=16", "model.heads=2",
            "train.steps=2", "train.batch=4", "geometry.enabled=false",
        ];
        _rig.Train("recall", settings.Aggregate(new ConfigTree(), (tree, setting) => tree.Set(setting)).Build());
        _rig.Train("text", "train.steps=6");
    }

    [OneTimeTearDown]
    public void End() => _rig.Dispose();

    [Test]
    public void WhatTheRunWasTrainedOnMayBeNamed()
    {
        JsonObject own = Eval("recall");
        Assert.That(Eval("recall", "--task", "recall", "--context", "16").ToJsonString(), Is.EqualTo(own.ToJsonString()));
        Assert.That(Eval("recall", "--set", "task.validationRows=40")["tokens"]!.GetValue<long>(), Is.GreaterThan(1.5 * own["tokens"]!.GetValue<long>()));
    }

    /// <summary>As on the longer rows of a detailed evaluation.</summary>
    [Test]
    public void RowsMayBeLonger()
    {
        JsonObject longer = Eval("recall", "--context", "32");
        JsonNode inDetail = Eval("recall", "--detail")["detail"]!["contexts"]!.AsArray().Single(context => context!["factor"]!.GetValue<int>() == 2)!;
        Assert.That(longer["tokens"]!.GetValue<long>(), Is.EqualTo(inDetail["targets"]!.GetValue<long>()));
        Assert.That(longer["loss"]!.GetValue<double>(), Is.EqualTo(inDetail["loss"]!.GetValue<double>()).Within(1e-12));
        Assert.That(Eval("recall", "--task", "memorize", "--set", "task.symbols=8")["task"]!.GetValue<string>(), Is.EqualTo("memorize"));
        Assert.That(File.Exists(_rig["recall/evaluation.json"]), Is.True, "what was asked for in detail is kept");
    }

    /// <summary>The file of a run is of the task that it was trained on.</summary>
    [Test]
    public void DetailsOfAnotherTaskAreNotKept()
    {
        string file = _rig["recall/evaluation.json"];
        File.Delete(file);
        JsonObject found = Eval("recall", "--detail", "--set", "task.symbols=8");
        Assert.That(found["detail"]!["targets"]!.GetValue<long>(), Is.EqualTo(found["tokens"]!.GetValue<long>()));
        Assert.That(File.Exists(file), Is.False);
    }

    [TestCase("recall", "--task mqar", "task mqar does not suit the model: model.vocab: 16 is less than the 8192 symbols of task.symbols = 8192")]
    [TestCase("recall", "--task regression", "task regression does not suit the model: model.vocab: \"regression\" has no tokens, so no 16 symbols")]
    [TestCase("recall", "--task text", "task=text: the run was trained on task recall and reads no text")]
    [TestCase("recall", "--set model.width=4", "model.width=4: is no setting of a task; what the model is stays as it was trained")]
    [TestCase("recall", "--context 0", "--context 0: expected a number of places, at least 1")]
    [TestCase("recall", "--set task.nothing=1", "task.nothing: unknown key")]
    [TestCase("text", "--task recall", "task=recall: the run was trained on text; name another text with --data, or conversations with --task conversations --data FILE.jsonl")]
    [TestCase("text", "--task conversations", "task=conversations: the model was not trained on conversations; name some with --data FILE.jsonl")]
    [TestCase("text", "--task conversations --data nothing.jsonl", "nothing.jsonl: ")]
    public void WhatAModelCannotDoIsSaid(string run, string options, string message)
    {
        CommandLine eval = CommandLine.Run(["eval", "--model", _rig[run], .. options.Split(' ')]);
        Assert.That(eval.Code, Is.Not.Zero);
        Assert.That(eval.ErrorLines, Has.Length.EqualTo(1));
        Assert.That(eval.ErrorLines[0], Does.Contain(message));
    }

    /// <summary>A text is read in rows of another length, too.</summary>
    [Test]
    public void TextsAreReadInLongerRows()
    {
        JsonObject own = Eval("text"), longer = Eval("text", "--context", "16");
        Assert.That(longer["tokens"]!.GetValue<long>(), Is.EqualTo(own["tokens"]!.GetValue<long>()));
        Assert.That(longer["loss"]!.GetValue<double>(), Is.Not.EqualTo(own["loss"]!.GetValue<double>()).And.EqualTo(own["loss"]!.GetValue<double>()).Within(0.5));
    }

    /// <summary>Of any model of text, all of a file; of a run of conversations, what it evaluates itself where that is the file.</summary>
    [Test]
    public void ConversationsOfAnyFileAreEvaluated()
    {
        string talk = _rig.Write("talk.jsonl", string.Concat(Enumerable.Range(0, 6).Select(i => $$"""{"prompt":"no. {{i}}","completion":"cat {{i}}."}""" + "\n")));
        string[] named = ["--task", "conversations", "--data", talk, "--context", "48"];
        JsonObject before = Eval("text", named);
        Assert.That((before["task"]!.GetValue<string>(), before["tokens"]!.GetValue<long>()), Is.EqualTo(("conversations", 6 * 8L)), "the answers, a space before them and a line break after");
        Assert.That(Eval("text", [.. named, "--set", "task.answersOnly=false"])["tokens"]!.GetValue<long>(), Is.GreaterThan(100));

        _rig.Train("talk", new ConfigTree().AddJson($$"""
            {
              "task": "conversations", "data": { "path": {{JsonValue.Create(talk).ToJsonString()}}, "validation": {{JsonValue.Create(talk).ToJsonString()}} },
              "train": { "init": {{JsonValue.Create(_rig["text"]).ToJsonString()}}, "steps": 8, "batch": 2 }, "model": { "context": 48 }, "geometry": { "enabled": false }
            }
            """, "test").Build());
        JsonObject own = Eval("talk");
        Assert.That(Eval("talk", named[..4]).ToJsonString(), Is.EqualTo(own.ToJsonString()));
        Assert.That(own["loss"]!.GetValue<double>(), Is.LessThan(before["loss"]!.GetValue<double>()));
    }

    private JsonObject Eval(string run, params string[] options) => CommandLine.Json(["eval", "--model", _rig[run], .. options]);
}
