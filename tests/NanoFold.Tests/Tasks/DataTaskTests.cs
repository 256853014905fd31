using System.Text.Json.Nodes;
using NanoFold.Tests.Cli;

namespace NanoFold.Tests.Tasks;

/// <summary><c>data task</c>.</summary>
[NonParallelizable]
public sealed class DataTaskTests
{
    [Test]
    public void ATaskIsShownWithItsScores()
    {
        string[] args = ["data", "task", "modular-addition", "--set", "task.modulus=5", "--context", "6", "--rows", "2"];
        JsonObject shown = CommandLine.Json(args);
        Assert.That(shown["settings"]!["modulus"]!.GetValue<int>(), Is.EqualTo(5));
        Assert.That((shown["best"]!["accuracy"]!.GetValue<double>(), shown["guessing"]!["accuracy"]!.GetValue<double>()), Is.EqualTo((1, 0.2)));
        JsonArray rows = shown["rows"]!.AsArray();
        Assert.That(rows, Has.Count.EqualTo(2));
        int[] tokens = [.. rows[1]!["fields"]!["tokens"]!.AsArray().Select(token => token!.GetValue<int>())];
        string text = rows[1]!["text"]![0]!.GetValue<string>();
        Assert.That(text, Is.EqualTo($"{tokens[0]} {tokens[1]} = [{(tokens[0] + tokens[1]) % 5}] | {tokens[3]} {tokens[4]} = [{(tokens[3] + tokens[4]) % 5}]"));

        string people = CommandLine.Run(args).Standard;
        Assert.That(people, Does.StartWith("modular-addition: rows of 6 places, 6 symbols; the loss is in nats per token\n").And.Contain(text));
        Assert.That(people, Does.Match(@"guessing +1\.6094 +0\.2000\n"));
    }

    [Test]
    public void AllAreListed()
    {
        Assert.That(CommandLine.Run("data", "task").Standard, Does.Match(@"\nregression +Linear regression in context \(arXiv 2208\.01066\)\n"));
        Assert.That(CommandLine.Json("data", "task")["tasks"]!.AsArray().Select(task => task!["name"]!.GetValue<string>()), Does.Contain("text").And.Contain("modular-addition"));
    }

    [Test]
    public void WhatIsNotThereIsALine()
    {
        CommandLine unknown = CommandLine.Run("data", "task", "regresion");
        Assert.That((unknown.Code, unknown.Standard), Is.EqualTo((2, "")));
        Assert.That(unknown.Error, Does.StartWith("nanofold: task: unknown kind \"regresion\", did you mean \"regression\"?"));
        CommandLine none = CommandLine.Run("data", "task", "regression", "--set", "task.validationRows=0", "--part", "validation");
        Assert.That((none.Code, none.Error), Is.EqualTo((1, "nanofold: regression: holds nothing back to validate with\n")));
        CommandLine large = CommandLine.Run("data", "task", "regression", "--set", "task.dimensions=4096", "--context", "4000000");
        Assert.That(large.Error, Does.StartWith("nanofold: model.context: ").And.Not.Contain("fault"));
        Assert.That(CommandLine.Run("data", "task", "regression", "--part", "all").Error, Is.EqualTo("nanofold: --part: expected train or validation, not 'all'\n"));
    }
}
