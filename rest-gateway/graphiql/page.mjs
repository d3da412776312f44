// GraphiQL for the endpoint that serves it. Bundled by build.mjs.
import "graphiql/style.css";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { createElement } from "react";
import { createRoot } from "react-dom/client";

const url = new URL("/api/graphql", location.href);
const subscriptionUrl = new URL(url);
subscriptionUrl.protocol = url.protocol === "https:" ? "wss:" : "ws:";

const defaultQuery = `# The token of a log-in goes into the headers
# below; then fetch the schema again.
`;

createRoot(document.getElementById("graphiql")).render(
  createElement(GraphiQL, {
    fetcher: createGraphiQLFetcher({ url: url.href, subscriptionUrl: subscriptionUrl.href }),
    defaultEditorToolsVisibility: "headers",
    defaultHeaders: '{"Authorization": "Bearer "}',
    defaultQuery,
    // A token outlives no visit.
    shouldPersistHeaders: false,
  }),
);
