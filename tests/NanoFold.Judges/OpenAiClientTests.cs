using System.ClientModel;
using System.Diagnostics;
using System.Text.Json.Nodes;
using NanoFold.Tests;
using NanoFold.Tests.Cli;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Models;

namespace NanoFold.Judges;

/// <summary>OpenAI's own client before <c>serve</c>, a process of its own: streaming, log-probabilities, stops, and sixty-four conversations at a time.</summary>
[NonParallelizable]
public class OpenAiClientTests
{
    private const string Stories = "stories260K.bin";

    private Process _server = null!;
    private OpenAIClient _client = null!;
    private ChatClient _chat = null!;
    private string _path = null!;

    [OneTimeSetUp]
    public async Task Start()
    {
        _path = SharedData.Path(Stories);
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in new[] { Path.Combine(AppContext.BaseDirectory, "nanofold.dll"), "serve", "--model", _path, "--port", "0", "--name", "stories", "--threads", "1", "--streams", "16" })
        {
            start.ArgumentList.Add(argument);
        }

        _server = Process.Start(start)!;
        string line = await _server.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException(await _server.StandardError.ReadToEndAsync());
        _client = new OpenAIClient(new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new Uri(line.Split(' ')[0]) });
        _chat = _client.GetChatClient("stories");
    }

    [OneTimeTearDown]
    public void End()
    {
        _server?.Kill();
        _server?.Dispose();
    }

    [Test]
    public async Task TheModelIsListed()
    {
        OpenAIModelCollection models = (await _client.GetOpenAIModelClient().GetModelsAsync()).Value;
        Assert.That(models.Select(model => model.Id), Is.EqualTo(new[] { "stories" }));
    }

    [Test]
    public async Task AnAnswerIsWhatGenerateWrites()
    {
        ChatCompletion answer = (await _chat.CompleteChatAsync([new UserChatMessage("Tell me a story.")], Options(40, seed: 3))).Value;
        Assert.That(answer.Content[0].Text, Is.EqualTo(Alone("Tell me a story.", 40, 3)));
        Assert.That((answer.Role, answer.FinishReason, answer.Usage.OutputTokenCount), Is.EqualTo((ChatMessageRole.Assistant, ChatFinishReason.Length, 40)));
    }

    [Test]
    public async Task AStreamComesInPieces()
    {
        var pieces = new List<string>();
        ChatFinishReason? finish = null;
        await foreach (StreamingChatCompletionUpdate update in _chat.CompleteChatStreamingAsync([new UserChatMessage("Tell me a story.")], Options(40, seed: 3)))
        {
            pieces.AddRange(update.ContentUpdate.Select(part => part.Text));
            finish ??= update.FinishReason;
        }

        Assert.That(pieces, Has.Count.GreaterThan(10));
        Assert.That((string.Concat(pieces), finish), Is.EqualTo((Alone("Tell me a story.", 40, 3), (ChatFinishReason?)ChatFinishReason.Length)));
    }

    [Test]
    public async Task LogProbabilitiesAndStops()
    {
        ChatCompletionOptions options = Options(60, seed: 3);
        options.IncludeLogProbabilities = true;
        options.TopLogProbabilityCount = 4;
        options.StopSequences.Add(".");
        ChatCompletion answer = (await _chat.CompleteChatAsync([new UserChatMessage("Tell me a story.")], options)).Value;
        Assert.That((answer.FinishReason, answer.Content[0].Text.Contains('.', StringComparison.Ordinal)), Is.EqualTo((ChatFinishReason.Stop, false)));
        Assert.That(answer.ContentTokenLogProbabilities, Has.Count.EqualTo(answer.Usage.OutputTokenCount));
        foreach (ChatTokenLogProbabilityDetails token in answer.ContentTokenLogProbabilities)
        {
            Assert.That(token.TopLogProbabilities, Has.Count.EqualTo(4));
            Assert.That(token.LogProbability, Is.LessThanOrEqualTo(token.TopLogProbabilities[0].LogProbability));
        }
    }

    [Test]
    public void WhatIsWrongIsAnExceptionWithTheReason()
    {
        ClientResultException fault = Assert.ThrowsAsync<ClientResultException>(async () => await _client.GetChatClient("other").CompleteChatAsync([new UserChatMessage("Hi")]))!;
        Assert.That((fault.Status, fault.Message.Contains("this server has 'stories'", StringComparison.Ordinal)), Is.EqualTo((404, true)));
    }

    [Test]
    public async Task SixtyFourConversationsAtATime()
    {
        string[] answers = await Task.WhenAll(Enumerable.Range(0, 64).Select(async i =>
        {
            string question = $"A story about {i} cats.";
            return i % 2 == 0
                ? (await _chat.CompleteChatAsync([new UserChatMessage(question)], Options(30 + i, seed: i))).Value.Content[0].Text
                : string.Concat(await _chat.CompleteChatStreamingAsync([new UserChatMessage(question)], Options(30 + i, seed: i)).SelectMany(update => update.ContentUpdate.Select(part => part.Text).ToAsyncEnumerable()).ToListAsync());
        }));
        for (int i = 0; i < answers.Length; i++)
        {
            Assert.That(answers[i], Is.EqualTo(Alone($"A story about {i} cats.", 30 + i, i)), $"conversation {i}");
        }
    }

#pragma warning disable OPENAI001 // The seed is marked as experimental there.
    private static ChatCompletionOptions Options(int tokens, long seed) => new() { MaxOutputTokenCount = tokens, Temperature = 0.8f, Seed = seed };
#pragma warning restore OPENAI001

    private string Alone(string question, int tokens, long seed) => (string)CommandLine.Json(
        "generate", "--model", _path, "--prompt", $"User: {question}\nAssistant:", "--parse-special", "--stop", "\nUser:", "--max-tokens", $"{tokens}", "--temperature", $"{0.8f}", "--seed", $"{seed}",
        "--device", "cpu", "--threads", "1")["samples"]![0]!["text"]!;
}
