using System.Text.Json.Nodes;
using NanoFold.Server.Requests;

namespace NanoFold.Server.Answers;

/// <summary>What is answered where something is wrong.</summary>
internal static class ErrorAnswer
{
    public static JsonObject Body(ApiException fault) => new()
    {
        ["error"] = new JsonObject { ["message"] = fault.Message, ["type"] = fault.Type, ["param"] = fault.Param, ["code"] = fault.Code },
    };

    public static Task Write(HttpContext context, ApiException fault)
    {
        context.Response.StatusCode = fault.Status;
        context.Response.ContentType = "application/json; charset=utf-8";
        return context.Response.WriteAsync(Body(fault).ToJsonString(Answerer.Line) + "\n", CancellationToken.None);
    }
}
